"""`xvlm-eval check` of results that cannot be compared, or that are not there, fails."""

import json
import shutil

import pytest

from harness.cli.main import main
from harness.drift.check import check
from tests.drift.checks import ELSEWHERE, checked
from tests.support.altered import CHECKPOINT, copied, edit_record, predict_otherwise


def test_a_record_that_contradicts_its_sample_scores_is_refused(baseline, tmp_path):
    elsewhere = copied(baseline, tmp_path, "nlvr2.dev")
    edit_record(elsewhere, "nlvr2.dev", software=ELSEWHERE, metrics={"accuracy": 78.0})
    (cell,) = check(copied(baseline, tmp_path / "r", "nlvr2.dev"), elsewhere).cells
    assert cell.verdict == "not comparable"
    assert "the record says accuracy 78.00, its sample scores make 78.12" in cell.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"protocol": "accuracy|nlvr|64px"},
            "another protocol: accuracy+consistency|nlvr|96px|bicubic|30-words",
        ),
        ({"data": {"sha256": "0" * 64}}, "another data"),
        ({"data": {"name": "files"}}, "another data: shapes, the baseline files"),
        ({"n": 159}, "another number of samples: 160, the baseline 159"),
        (
            {"subset": {"limit": 100, "total": 160}},
            "no baseline of this split; there is one of test",
        ),
        ({"checkpoint": {"name": "mine"}}, "no baseline of this split; there is one of test"),
        ({"split": "test"}, "no baseline of this split; there is one of test"),
        (
            {"checkpoint": {"registered": False}},
            "no baseline of this checkpoint; there is one of xvlm-shapes",
        ),
    ],
)
def test_what_was_measured_otherwise_is_refused_and_counts_as_failure(
    baseline, tmp_path, changes, reason
):
    elsewhere = copied(baseline, tmp_path, "nlvr2.dev", "nlvr2.test")
    edit_record(elsewhere, "nlvr2.dev", **changes)
    outcome = check(copied(baseline, tmp_path / "r", "nlvr2.dev"), elsewhere)
    assert outcome.failed
    refused = [cell for cell in outcome.cells if cell.verdict != "missing"]
    assert {cell.verdict for cell in refused} == {"not comparable"}
    if reason.startswith("another"):  # the baseline is named in the reason, and not missing
        assert [cell.split for cell in outcome.cells if cell.verdict == "missing"] == ["test"]
    # An edited record may also lie where its name does not belong.
    assert reason in refused[-1].reason


def test_a_subset_is_never_compared_with_the_whole_split(baseline, tmp_path):
    assert (
        main(["run", "--task", "nlvr2", "--split", "dev", "--limit", "20", "--out", str(tmp_path)])
        == 0
    )
    cell, *_ = check(tmp_path, baseline).cells
    assert (
        cell.verdict == "not comparable"
        and cell.reason
        == "another part of the split: 20 of 160 samples, the baseline the whole split"
    )


def test_a_result_of_another_checkpoint_is_compared_where_that_is_asked_for(baseline, tmp_path):
    results = tmp_path / "r"
    shutil.copytree(baseline / CHECKPOINT, results / "mine")
    for path in (results / "mine").glob("*.json"):
        if "checkpoint" in (content := json.loads(path.read_text())):
            path.write_text(
                json.dumps(
                    {
                        **content,
                        "checkpoint": {**content["checkpoint"], "name": "mine", "sha256": "ab"},
                    }
                )
            )
    assert {cell.verdict for cell in check(results, baseline).cells} == {
        "not comparable",
        "missing",
    }
    outcome = check(results, baseline, checkpoint="XVLM_shapes")
    assert not outcome.failed and {cell.verdict for cell in outcome.cells} == {"identical"}


def test_sample_scores_of_another_record_are_refused(baseline, tmp_path):
    results = copied(baseline, tmp_path / "r", "nlvr2.dev")
    predict_otherwise(
        results, "nlvr2.dev", lambda predictions: {"dev-0-0-0": not predictions["dev-0-0-0"]}
    )
    for name, content in (
        ("foreign", (baseline / CHECKPOINT / "nlvr2.test.contributions.npz").read_bytes()),
        ("missing", None),
    ):
        before = copied(baseline, tmp_path / name, "nlvr2.dev")
        path = before / CHECKPOINT / "nlvr2.dev.contributions.npz"
        path.unlink() if content is None else path.write_bytes(content)
        (cell,) = check(results, before).cells
        assert cell.verdict == "not comparable" and str(path) in cell.reason


def test_damaged_records_fail_the_check(baseline, tmp_path, capsys):
    results = copied(baseline, tmp_path, "nlvr2.dev")
    (results / CHECKPOINT / "nlvr2.test.json").write_text("{")
    code, outcome = checked(capsys, results, "--baseline", baseline)
    assert code == 1
    assert any("nlvr2.test.json: is not JSON" in cell["reason"] for cell in outcome["cells"])
    assert "xvlm-shapes nlvr2 test" not in outcome["missing"]  # it is here, and damaged


def test_a_baseline_without_a_result_fails_unless_that_is_allowed(baseline, tmp_path, capsys):
    results = copied(baseline, tmp_path, "nlvr2.dev")
    arguments = ["check", str(results), "--baseline", str(baseline)]
    assert main(arguments) == main([*arguments, "--require-all"]) == 1
    assert (
        "xvlm-shapes nlvr2 test: missing: has a baseline and no result" in capsys.readouterr().out
    )
    assert main([*arguments, "--allow-missing"]) == 0


def test_nothing_to_compare_is_a_failure(baseline, tmp_path, capsys):
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir(), other.mkdir()
    assert main(["check", str(empty), "--baseline", str(baseline)]) == 1
    capsys.readouterr()
    assert main(["check", str(empty), "--baseline", str(other)]) == 1
    assert "nothing to compare" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nowhere"), "--baseline", str(baseline)]) == 3
    assert main(["check", str(baseline), "--baseline", str(baseline)]) == 2
