"""The command line on the embedded benchmark: from nothing to a table."""

import json
import shutil
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.formats.folder import sha256_of
from harness.records.record import SIDECARS
from harness.records.stored import find_results
from harness.shapes.benchmark import embedded_data
from tests.support.altered import copied
from tests.support.benchmark_copy import copy_benchmark
from tests.support.results import contents

ROOT = Path(__file__).parents[2]
RUN = ["run", "--task", "refcoco+"]
FLOORS = {  # metrics that the embedded model must reach on unseen scenes, in percent
    "vqav2.val": {"accuracy": 65.0},
    "nlvr2.dev": {"accuracy": 65.0},
    "nlvr2.test": {"accuracy": 65.0},
    "coco-caption.test": {"cider": 80.0},
    "coco-retrieval.test": {"i2t_r1": 25.0, "t2i_r1": 25.0},
    "flickr30k-retrieval.test": {"i2t_r1": 25.0, "t2i_r1": 25.0},
    "refcoco+.val": {"accuracy": 70.0},
    "refcoco+.testA": {"accuracy": 70.0},
    "refcoco+.testB": {"accuracy": 70.0},
}


def records(out, task="refcoco+"):
    paths = [path for path in out.glob(f"*/{task}.*.json") if not path.name.endswith(SIDECARS)]
    return {path.stem: json.loads(path.read_text()) for path in paths}


@pytest.fixture
def own(finished, tmp_path):
    """A copy of the finished results of RefCOCO+ val, to run into."""
    return copied(finished, tmp_path / "own", "refcoco+.val")


def test_the_embedded_model_has_learnt_every_task(finished):
    found = records(finished, "*")
    for name, floors in FLOORS.items():
        for metric, floor in floors.items():
            assert found[name]["metrics"][metric] >= floor, (name, metric)
    attributes = found["ovad.box"]["metrics"]
    assert attributes["map"] >= 2 * attributes["chance"]


def test_hidden_truths_end_in_files_to_upload(finished):
    for split in ("test-dev", "test"):
        upload = json.loads(
            (finished / "xvlm-shapes" / f"vqav2.{split}.submission.json").read_text()
        )
        assert len(upload) == len({entry["question_id"] for entry in upload}) == 100
        record = records(finished, "vqav2")[f"vqav2.{split}"]
        assert record["metrics"] == {} and "eval.ai" in record["not_run"]["accuracy"]


def test_the_committed_baselines_are_what_a_run_gives(finished):
    """Renew them, with the reason in the commit, where a change is meant to move a number."""
    found = records(finished, "*")
    committed = {
        path.stem: json.loads(path.read_text())
        for path in (ROOT / "results" / "xvlm-shapes").glob("*.json")
    }
    assert committed.keys() == found.keys()
    for name, record in committed.items():
        assert record["metrics"] == pytest.approx(found[name]["metrics"], abs=1.0), name
        assert (record["protocol"], record["n"], record["data"]) == (
            found[name]["protocol"],
            found[name]["n"],
            found[name]["data"],
        )


def test_the_committed_baselines_are_whole_and_small():
    """Records, contributions and compressed predictions, each of them what its record says."""
    results = find_results(ROOT / "results")
    assert results.rejected == () and len(results.results) == 15
    for result in results.results:
        assert result.sample_scores.ids and len(result.predictions) == result.record.n == len(
            result.sample_scores.ids
        )
    assert (
        sum(path.stat().st_size for path in (ROOT / "results" / "xvlm-shapes").iterdir())
        < 3 * 2**20
    )


def test_a_run_passes_the_gate_and_every_metric_has_an_interval(finished, capsys):
    capsys.readouterr()
    assert main(["check", str(finished), "--require-all", "--format", "json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["verdict"] for cell in cells} <= {"identical", "same", "improved"}
    assert len(cells) >= 67
    for record in records(finished, "*").values():
        assert record["metrics"].keys() == record["intervals"].keys()


def test_a_record_says_what_determined_it(finished):
    record = records(finished)["refcoco+.val"]
    assert (record["task"], record["split"], record["data"]["name"]) == (
        "refcoco+",
        "val",
        "shapes",
    )
    checkpoint = record["checkpoint"]
    assert (checkpoint["name"], checkpoint["registered"], checkpoint["text_heads"]) == (
        "xvlm-shapes",
        True,
        2,
    )
    assert len(checkpoint["sha256"]) == len(checkpoint["vocabulary_sha256"]) == 64
    assert record["predictions"]["sha256"] == sha256_of(
        finished / "xvlm-shapes" / record["predictions"]["file"]
    )
    assert set(record["data"]["files"]) == {"refcoco+/refs(unc).p", "refcoco+/instances.json"}
    assert record["settings"] == {"dtype": "float32", "device": record["settings"]["device"]}
    assert record["protocol"] == "iou>=0.5|per-expression|bbox|96px|bicubic|30-words"
    low, high = record["intervals"]["accuracy"]
    assert low < record["metrics"]["accuracy"] < high


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


def test_the_table_shows_the_embedded_results_apart_and_the_papers_rows_unfilled(finished, capsys):
    assert main(["table", str(finished), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["rows"]) == 53
    assert {row["measured"] for row in shown["rows"]} == {None}
    assert {row["verdict"] for row in shown["rows"]} == {"not run"}
    grounding = [row for row in shown["shapes"] if row["task"] == "refcoco+"]
    assert [row["split"] for row in grounding] == ["val", "testA", "testB"]
    assert len({row["task"] for row in shown["shapes"]}) == 7


@pytest.mark.parametrize(
    ("layout", "words"), [("paper", "84.51"), ("leaderboard", "84.51"), ("shapes", "xvlm-shapes")]
)
@pytest.mark.parametrize("format", ["terminal", "md", "csv", "latex", "html", "json"])
def test_every_layout_in_every_format(finished, capsys, layout, words, format):
    assert main(["table", "--out", str(finished), "--layout", layout, "--format", format]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(("layout", "rows"), [("paper", 53), ("shapes", None)])
def test_csv_is_one_table_and_says_where_the_other_is(finished, capsys, layout, rows):
    assert main(["table", str(finished), "--layout", layout, "--format", "csv"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert "measured" in lines[0] and (rows is None or len(lines) == 1 + rows)
    assert ("--layout shapes" in shown.err) == (layout == "paper")


def test_a_copy_of_the_embedded_benchmark_stays_what_it_is(tmp_path, capsys):
    run = [*RUN, "--split", "val", "--limit", "4", "--data", str(embedded_data().root)]
    assert main([*run, "--checkpoint", "xvlm_shapes", "--out", str(tmp_path)]) == 0
    assert records(tmp_path)["refcoco+.val.limit-4"]["data"]["name"] == "shapes"


def test_the_suite_of_shapes_is_a_layout_of_its_own(finished, capsys):
    assert main(["table", str(finished), "--suite", "shapes", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["layout"] == "shapes" and shown["rows"] == shown["shapes"] != []


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
