"""A run of the embedded benchmark again: of a subset, at another speed, continued, begun anew."""

import json
import shutil

import pytest

from harness.cli.main import main
from harness.shapes.benchmark import embedded_data
from tests.support.altered import copied
from tests.support.benchmark_copy import copy_benchmark
from tests.support.results import contents, records

RUN = ["run", "--task", "refcoco+"]


@pytest.fixture
def own(finished, tmp_path):
    """A copy of the finished results of RefCOCO+ val, to run into."""
    return copied(finished, tmp_path / "own", "refcoco+.val")


def test_the_first_line_says_that_this_is_the_embedded_benchmark_and_results_go_to_the_output(
    tmp_path, capsys
):
    assert main([*RUN, "--split", "testB", "--limit", "4", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines()[0].startswith("embedded benchmark: xvlm-shapes on shapes")
    assert "xvlm-shapes refcoco+ testB: 4 of 4" in shown.err
    assert "4 of 696" in shown.out and "of 4" not in shown.out.replace("4 of 696", "")


def test_a_subset_is_the_same_every_time_and_never_a_result(finished, tmp_path, capsys):
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert main([*RUN, "--split", "val", "--limit", "12", "--out", str(folder)]) == 0
    first, second = ({**records(tmp_path / name)} for name in "ab")
    assert first == second and list(first) == ["refcoco+.val.limit-12"]
    assert first["refcoco+.val.limit-12"]["subset"] == {"limit": 12, "total": 1056}
    capsys.readouterr()
    assert main(["table", str(tmp_path / "a"), "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["shapes"] == []
    assert "a subset of 12 of 1056, not a result" in shown.err


def predictions(path):
    """Prediction by id, as the file holds them."""
    return {
        line["id"]: line["prediction"]
        for line in map(json.loads, path.read_text().splitlines()[1:])
    }


def test_a_subset_predicts_what_the_whole_run_predicts(finished, tmp_path):
    assert main([*RUN, "--split", "val", "--limit", "40", "--out", str(tmp_path)]) == 0

    whole = predictions(finished / "xvlm-shapes" / "refcoco+.val.predictions.jsonl")
    part = predictions(tmp_path / "xvlm-shapes" / "refcoco+.val.limit-40.predictions.jsonl")
    assert len(part) == 40
    for id, box in part.items():
        assert box == pytest.approx(whole[id], abs=1e-5)


@pytest.fixture(scope="module")
def at_default_speed(tmp_path_factory):
    out = tmp_path_factory.mktemp("default")
    assert main([*RUN, "--split", "testB", "--limit", "150", "--out", str(out)]) == 0
    return records(out)["refcoco+.testB.limit-150"]


@pytest.mark.parametrize(
    "speed",
    [["--batch-size", "1"], ["--batch-size", "500"], ["--workers", "1"], ["--workers", "7"]],
)
def test_speed_does_not_change_results(at_default_speed, tmp_path, speed):
    limited = [*RUN, "--split", "testB", "--limit", "150", "--out", str(tmp_path)]
    assert main([*limited, *speed]) == 0
    record = records(tmp_path)["refcoco+.testB.limit-150"]
    assert record["metrics"] == at_default_speed["metrics"]
    assert record["protocol"] == at_default_speed["protocol"]


def test_sixteen_bits_change_the_predictions_a_little_and_are_a_run_of_their_own(
    finished, tmp_path
):
    exact = predictions(finished / "xvlm-shapes" / "refcoco+.testB.predictions.jsonl")
    limited = [*RUN, "--split", "testB", "--limit", "64", "--out", str(tmp_path)]
    assert main([*limited, "--dtype", "bfloat16"]) == 0
    rounded = predictions(tmp_path / "xvlm-shapes" / "refcoco+.testB.limit-64.predictions.jsonl")
    off = [abs(a - b) for id, box in rounded.items() for a, b in zip(box, exact[id], strict=True)]
    assert 1e-4 < max(off) < 0.1
    assert records(tmp_path)["refcoco+.testB.limit-64"]["settings"]["dtype"] == "bfloat16"


def test_a_copy_of_the_embedded_benchmark_stays_what_it_is(tmp_path, capsys):
    run = [*RUN, "--split", "val", "--limit", "4", "--data", str(embedded_data().root)]
    assert main([*run, "--checkpoint", "xvlm_shapes", "--out", str(tmp_path)]) == 0
    assert records(tmp_path)["refcoco+.val.limit-4"]["data"]["name"] == "shapes"


def test_going_on_with_a_finished_run_predicts_nothing_and_changes_nothing(own, capsys):
    before = contents(own)
    assert main([*RUN, "--split", "val", "--out", str(own)]) == 0
    assert "1056 of 1056 (1056 were predicted before)" in capsys.readouterr().err
    assert contents(own) == before


def timings(out, split):
    path = out / "xvlm-shapes" / f"refcoco+.{split}.timings.json"
    return json.loads(path.read_text())["sittings"]


def test_timings_by_stage_are_kept_and_a_run_that_predicts_nothing_leaves_them(own):
    before = timings(own, "val")
    assert [sitting["predicted"] for sitting in before] == [1056]
    assert before[0]["seconds"].keys() == {"load", "predict", "score"}
    assert before[0]["batch_size"] == 32
    assert main([*RUN, "--split", "val", "--out", str(own)]) == 0
    assert timings(own, "val") == before


def test_fresh_begins_anew(tmp_path, capsys):
    arguments = [*RUN, "--split", "val", "--limit", "20", "--out", str(tmp_path)]
    assert main(arguments) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    assert main([*arguments, "--fresh"]) == 0
    assert "predicted before" not in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert len(timings(tmp_path, "val.limit-20")) == 1


def test_a_record_does_not_outlive_its_predictions(tmp_path):
    """A run that replaces another and fails leaves no record of the one that it replaced."""
    data = tmp_path / "data"
    copy_benchmark(data)
    arguments = [*RUN, "--split", "val", "--limit", "4", "--checkpoint", "xvlm-shapes"]
    arguments += ["--data", str(data), "--out", str(tmp_path / "runs")]
    assert main(arguments) == 0
    assert len(records(tmp_path / "runs")) == 1
    shutil.rmtree(data / "images" / "coco" / "train2014")
    (data / "images" / "coco" / "train2014").mkdir()
    assert main([*arguments, "--fresh"]) == 3
    assert records(tmp_path / "runs") == {}


def test_another_precision_is_another_run(own, capsys):
    assert main([*RUN, "--split", "val", "--dtype", "bfloat16", "--out", str(own)]) == 4
    assert "settings.dtype: float32 / bfloat16" in capsys.readouterr().err
