"""The command line on the embedded benchmark: from nothing to a table, and through kills to the same bytes."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from harness.cli import main
from harness.shapes.benchmark import embedded_data

RUN = ["run", "--task", "refcoco+"]
FLOOR = 70.0  # accuracy that the embedded model must reach on unseen scenes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run of all splits: its output folder."""
    out = tmp_path_factory.mktemp("runs")
    assert main([*RUN, "--out", str(out)]) == 0
    return out


def records(out):
    return {path.stem: json.loads(path.read_text()) for path in out.glob("*/refcoco+.*.json") if "timings" not in path.name}


def contents(folder):
    """The bytes of everything that a run leaves, but for how long it took."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if "timings" not in path.name}


def test_the_embedded_model_has_learnt_to_ground(finished):
    for name, record in records(finished).items():
        assert record["metrics"]["accuracy"] >= FLOOR, name


def test_a_record_says_what_determined_it(finished):
    record = records(finished)["refcoco+.val"]
    assert (record["task"], record["split"], record["data"]["name"]) == ("refcoco+", "val", "shapes")
    assert record["checkpoint"]["name"] == "xvlm-shapes" and len(record["checkpoint"]["sha256"]) == 64
    assert set(record["data"]["files"]) == {"refcoco+/refs(unc).p", "refcoco+/instances.json"}
    assert record["settings"] == {"dtype": "float32", "device": record["settings"]["device"]}
    assert record["protocol"] == "iou>=0.5|per-expression|bbox|96px|bicubic|30-words"
    low, high = record["intervals"]["accuracy"]
    assert low < record["metrics"]["accuracy"] < high


def test_the_first_line_says_that_this_is_the_embedded_benchmark_and_results_go_to_the_output(tmp_path, capsys):
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


def test_a_subset_predicts_what_the_whole_run_predicts(finished, tmp_path):
    assert main([*RUN, "--split", "val", "--limit", "40", "--out", str(tmp_path)]) == 0

    def predictions(path):
        lines = map(json.loads, path.read_text().splitlines()[1:])
        return {line["id"]: line["prediction"] for line in lines}

    whole = predictions(finished / "xvlm-shapes" / "refcoco+.val.predictions.jsonl")
    part = predictions(tmp_path / "xvlm-shapes" / "refcoco+.val.limit-40.predictions.jsonl")
    assert len(part) == 40
    for id, box in part.items():
        assert box == pytest.approx(whole[id], abs=1e-5)


@pytest.mark.parametrize("speed", [["--batch-size", "1"], ["--batch-size", "500"], ["--workers", "1"], ["--workers", "7"]])
def test_speed_does_not_change_results(finished, tmp_path, speed):
    assert main([*RUN, "--split", "testB", "--limit", "150", "--out", str(tmp_path / "a")]) == 0
    assert main([*RUN, "--split", "testB", "--limit", "150", "--out", str(tmp_path / "b"), *speed]) == 0
    first, second = (records(tmp_path / name)["refcoco+.testB.limit-150"] for name in "ab")
    assert first["metrics"] == second["metrics"]
    assert first["protocol"] == second["protocol"]


def test_the_table_shows_the_embedded_results_apart_and_the_papers_rows_unfilled(finished, capsys):
    assert main(["table", str(finished), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["rows"]) == 53
    assert {row["measured"] for row in shown["rows"]} == {None}
    assert [row["split"] for row in shown["shapes"]] == ["val", "testA", "testB"]
    assert all(row["measured"] >= FLOOR for row in shown["shapes"])


@pytest.mark.parametrize("layout", ["paper", "leaderboard"])
@pytest.mark.parametrize("format", ["terminal", "md", "csv", "latex", "html", "json"])
def test_every_layout_in_every_format(finished, capsys, layout, format):
    assert main(["table", "--out", str(finished), "--layout", layout, "--format", format]) == 0
    shown = capsys.readouterr().out
    assert "refcoco+" in shown and "xvlm-shapes" in shown and "84.51" in shown


def test_a_copy_of_the_embedded_benchmark_stays_what_it_is(tmp_path, capsys):
    run = [*RUN, "--split", "val", "--limit", "4", "--data", str(embedded_data().root), "--checkpoint", "xvlm_shapes"]
    assert main([*run, "--out", str(tmp_path)]) == 0
    assert records(tmp_path)["refcoco+.val.limit-4"]["data"]["name"] == "shapes"


def test_going_on_with_a_finished_run_predicts_nothing_and_changes_nothing(finished, capsys):
    before = contents(finished / "xvlm-shapes")
    assert main([*RUN, "--split", "val", "--out", str(finished)]) == 0
    assert "1056 of 1056 (1056 were predicted before)" in capsys.readouterr().err
    assert contents(finished / "xvlm-shapes") == before


def test_another_precision_is_another_run(finished, capsys):
    assert main([*RUN, "--split", "val", "--dtype", "bfloat16", "--out", str(finished)]) == 4
    assert "settings.dtype: float32 / bfloat16" in capsys.readouterr().err


def killed(arguments, folder, *, after_bytes):
    """Start a run as a process of its own and kill it once its predictions have grown beyond `after_bytes`; the bytes they then have."""
    path = folder / "xvlm-shapes" / "refcoco+.val.limit-600.predictions.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "harness.cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while process.poll() is None and (not path.exists() or path.stat().st_size < after_bytes):
            time.sleep(0.001)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return path.stat().st_size


def test_an_interrupted_run_ends_with_code_130_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "xvlm-shapes" / "refcoco+.val.predictions.jsonl"
    command = [sys.executable, "-m", "harness.cli", *RUN, "--split", "val", "--batch-size", "1", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and (not path.exists() or path.stat().st_size < 2000):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what was predicted is kept, run the same command to go on" in shown
    assert "Traceback" not in shown
    assert len(path.read_text().splitlines()) > 1


def test_a_run_killed_at_any_moment_and_started_again_ends_in_the_same_bytes(tmp_path):
    arguments = [*RUN, "--split", "val", "--limit", "600", "--batch-size", "8", "--out"]
    assert main([*arguments, str(tmp_path / "calm")]) == 0
    expected = contents(tmp_path / "calm" / "xvlm-shapes")
    draws, size, kills = random.Random(7), 0, 0
    final = len(expected["refcoco+.val.limit-600.predictions.jsonl"])
    while size < final * 0.8:
        size = killed(
            [*arguments, str(tmp_path / "killed")],
            tmp_path / "killed",
            after_bytes=size + draws.randrange(1, final // 4),
        )
        assert size < final, "the run ended before it was killed"
        kills += 1
    assert kills >= 3
    assert main([*arguments, str(tmp_path / "killed")]) == 0
    assert contents(tmp_path / "killed" / "xvlm-shapes") == expected
