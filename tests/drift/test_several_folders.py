"""Results and baselines in several folders: told apart, never one silently over the other."""

import json

import numpy as np
import pytest

from harness.cli.main import main
from harness.files.paths import shipped_path
from harness.registry import official_counts
from harness.tables.paper import read_paper
from tests.support.altered import copied, edit_record
from tests.support.tampered import edit_scores

PROTOCOL = read_paper(official_counts()).official["nlvr2"].protocols[0]


@pytest.fixture
def baseline(tmp_path):
    """Return two of the committed results, in a folder of their own."""
    return copied(shipped_path("results"), tmp_path / "baseline", "nlvr2.dev", "refcoco+.testB")


@pytest.fixture
def folders(baseline, tmp_path):
    """Return two folders with a result of one checkpoint, task and split; the second differs."""
    first = copied(baseline, tmp_path / "exp1", "nlvr2.dev")
    second = copied(baseline, tmp_path / "exp2", "nlvr2.dev")
    edit_scores(second, "nlvr2.dev", judge_20_right)
    edit_record(
        second, "nlvr2.dev", metrics={"accuracy": 12.5}, intervals={"accuracy": [8.0, 18.6]}
    )
    return first, second


def judge_20_right(arrays):
    """Score the first 20 of the 160 statements as right, and all others as wrong."""
    right = 100.0 * (np.arange(160) < 20)
    arrays["values"][json.loads(str(arrays["by_sample"])).index("accuracy")] = right
    number = json.loads(str(arrays["statistics"]))["accuracy"]["values"]["array"]
    arrays[f"array{number}"] = right


def words(*paths):
    return [str(path) for path in paths]


def cells(capsys, *command):
    """Return the exit code and the checkpoints of a check's cells, by verdict."""
    code = main(["check", *map(str, command), "--allow-missing", "--format", "json"])
    found = json.loads(capsys.readouterr().out)["cells"]
    return code, {(cell["checkpoint"], cell["metric"]): cell for cell in found}


def test_each_of_two_results_is_checked_and_names_its_folder(folders, baseline, capsys):
    first, second = folders
    code, found = cells(capsys, first, second, "--baseline", baseline)
    assert code == 1
    assert found[f"xvlm-shapes [{first}]", "accuracy"]["verdict"] == "identical"
    assert {n for n, _ in found if "[" in n} == {f"xvlm-shapes [{f}]" for f in folders}
    (refusal,) = (cell for (name, _), cell in found.items() if name.endswith("exp2]"))
    assert refusal["verdict"] != "identical"


def test_one_folder_named_twice_is_one(folders, baseline, capsys):
    first, _ = folders
    code, found = cells(capsys, first, first / ".." / "exp1", "--baseline", baseline)
    assert code == 0 and {name for name, _ in found} == {"xvlm-shapes"}


def test_of_two_baselines_with_one_result_neither_is_taken(folders, tmp_path, baseline, capsys):
    now = copied(baseline, tmp_path / "now", "nlvr2.dev")
    first, second = folders
    code, found = cells(capsys, now, "--baseline", first, "--baseline", second)
    assert code == 1
    reasons = [cell["reason"] for (name, _), cell in found.items() if name == "xvlm-shapes"]
    assert reasons == [
        f"several folders have a baseline of it: {first}, {second}; "
        "name one of them with --baseline"
    ]


def test_baselines_of_different_results_complete_each_other(baseline, tmp_path, capsys):
    now = copied(baseline, tmp_path / "now", "nlvr2.dev", "refcoco+.testB")
    parts = [copied(baseline, tmp_path / part, part) for part in ("nlvr2.dev", "refcoco+.testB")]
    command = (now, "--baseline", parts[0], "--baseline", parts[1])
    code, found = cells(capsys, *command)
    assert code == 0 and {cell["verdict"] for cell in found.values()} == {"identical"}
    (parts[1] / "gate.yaml").write_text("level: 0.01")
    assert main(["check", *map(str, command)]) == 2
    assert "have different settings in gate.yaml" in capsys.readouterr().err


def test_a_history_leads_to_one_folder(folders, baseline, capsys):
    command = ["check", *words(*folders), "--baseline", str(baseline), "--history", str(folders[0])]
    assert main(command) == 2
    assert "--history: older results lead to one folder" in capsys.readouterr().err


def test_a_folder_on_both_sides_is_refused(folders, capsys):
    first, second = folders
    assert main(["check", *words(first, second), "--baseline", str(second)]) == 2
    assert f"{second}: is the baseline itself" in capsys.readouterr().err


def test_a_missing_folder_is_named(folders, tmp_path, capsys):
    assert main(["check", *words(folders[0], tmp_path / "absent")]) == 3
    assert "absent: no such folder of results" in capsys.readouterr().err


def test_a_table_shows_both_and_fills_the_paper_from_the_first(folders, capsys):
    first, second = folders
    assert main(["table", *words(*folders), "--layout", "all", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    values = {row["checkpoint"]: row["measured"] for row in rows if row["metric"] == "accuracy"}
    assert values.keys() == {f"xvlm-shapes [{first}]", f"xvlm-shapes [{second}]"}
    assert values[f"xvlm-shapes [{second}]"] == 12.5
    assert main(["table", str(first), "--layout", "all", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["checkpoint"] for row in rows} == {"xvlm-shapes"}


def test_the_paper_is_filled_from_the_folder_named_first(folders, capsys):
    """The other one is named, with the reason."""
    for folder in folders:
        count = {"data": {"name": "files"}, "n": 6982, "protocol": PROTOCOL, "subset": None}
        edit_record(folder, "nlvr2.dev", **count)
        for scores in folder.rglob("*.contributions.npz"):  # of 160 statements
            scores.unlink()
    command = ["table", "--checkpoint", "xvlm-shapes", "--format", "json"]
    for order, value in ((folders[::-1], 12.5), (folders, None)):
        assert main([*command, *words(*order)]) == 0
        shown = capsys.readouterr()
        rows = json.loads(shown.out)["rows"]
        filled = [row for row in rows if row["measured"] is not None]
        assert [row["checkpoint"] for row in filled] == [f"xvlm-shapes [{order[0]}]"]
        assert (filled[0]["measured"] == 12.5) == (value == 12.5)
        assert (
            f"left out: xvlm-shapes [{order[1]}] nlvr2 dev: its rows are filled from {order[0]}, "
            "which is named before its folder" in shown.err
        )


def test_diff_compares_the_first_with_each_other_one(folders, baseline, capsys):
    command = ["diff", str(baseline), *words(*folders), "--format", "json"]
    assert main(command) == 0
    diffs = json.loads(capsys.readouterr().out)["diffs"]
    assert [diff["after"].split("/")[-3] for diff in diffs] == ["exp1", "exp2"]
    assert [len(diff["metrics"]) for diff in diffs] == [0, 1]
