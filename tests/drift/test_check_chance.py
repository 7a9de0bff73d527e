"""`xvlm-eval check` of predictions that may differ: a metric has to move beyond chance."""

import json

import pytest

from harness.drift.check import check
from harness.metrics.nlvr2 import group_of, image_set_of
from tests.drift.changes import alter, flip
from tests.drift.checks import ELSEWHERE, verdicts
from tests.support.altered import CHECKPOINT, copied, edit_record, predict_otherwise, truths

OTHER_WEIGHTS = {"sha256": "0" * 64}


def flipped(stem, wrong, right):
    """A change that makes `wrong` correct predictions wrong, and `right` wrong ones correct."""
    truth = truths(*stem.split("."))

    def change(predictions):
        good = [id for id, verdict in predictions.items() if verdict == truth[id]]
        bad = [id for id, verdict in predictions.items() if verdict != truth[id]]
        return {id: not predictions[id] for id in (*good[:wrong], *bad[:right])}

    return change


def test_one_percent_flipped_both_ways_alike_is_not_drift(baseline, tmp_path):
    results = copied(baseline, tmp_path, "nlvr2.test")
    edit_record(
        baseline_elsewhere := copied(baseline, tmp_path / "b", "nlvr2.test"),
        "nlvr2.test",
        software=ELSEWHERE,
    )
    predict_otherwise(results, "nlvr2.test", flipped("nlvr2.test", 2, 2))
    outcome = check(results, baseline_elsewhere)
    assert not outcome.failed
    assert verdicts(outcome)["nlvr2 test accuracy"] == "same"
    (accuracy,) = [cell for cell in outcome.cells if cell.metric == "accuracy"]
    assert (accuracy.comparison.flips, accuracy.difference) == ((2, 2), 0.0)


def test_a_drop_beyond_chance_is_drift_and_a_gain_is_improvement(baseline, tmp_path):
    elsewhere = copied(baseline, tmp_path / "b", "nlvr2.test")
    # 44 of 320 answers are more than the same weights may change.
    edit_record(elsewhere, "nlvr2.test", software=ELSEWHERE, checkpoint=OTHER_WEIGHTS)
    for name, counts, expected in (("worse", (40, 4), "drifted"), ("better", (4, 40), "improved")):
        results = copied(baseline, tmp_path / name, "nlvr2.test")
        predict_otherwise(results, "nlvr2.test", flipped("nlvr2.test", *counts))
        outcome = check(results, elsewhere)
        assert verdicts(outcome)["nlvr2 test accuracy"] == expected
        assert outcome.failed == (expected == "drifted")


def test_results_in_which_nothing_changed_do_not_weaken_a_check(baseline, tmp_path):
    truth = truths("nlvr2", "test")
    results = copied(baseline, tmp_path / "r", "nlvr2.test")

    def break_seven_consistent_groups(predictions):
        """In seven sets of images: those of one set count once."""
        right = {id: predictions[id] == truth[id] for id in predictions}
        groups = {}
        for id in predictions:
            groups.setdefault(group_of(id), []).append(id)
        consistent = {
            image_set_of(ids[0]): ids[0] for ids in groups.values() if all(right[id] for id in ids)
        }
        return {id: not predictions[id] for id in list(consistent.values())[:7]}

    predict_otherwise(results, "nlvr2.test", break_seven_consistent_groups)
    edit_record(
        elsewhere := copied(baseline, tmp_path / "b", "nlvr2.test"),
        "nlvr2.test",
        software=ELSEWHERE,
    )
    two = {cell.metric: cell for cell in check(results, elsewhere).cells}
    assert {cell.verdict for cell in two.values()} == {"drifted"}
    # 2 ** -7 of all swaps, over the 80 % of the level that results share.
    assert two["consistency"].p == pytest.approx(2**-7 / 0.8)
    for folder in (results, elsewhere):
        copied(baseline, folder, "nlvr2.dev", "refcoco+.testB")
        for stem in ("nlvr2.dev", "refcoco+.testB"):
            edit_record(folder, stem, software={"processor": str(folder)})
    five = {f"{cell.split} {cell.metric}": cell for cell in check(results, elsewhere).cells}
    assert len(five) == 5
    assert five["test accuracy"].p == two["accuracy"].p
    assert five["test accuracy"].verdict == five["test consistency"].verdict == "drifted"
    assert five["dev accuracy"].verdict == "identical"


def test_the_same_predictions_with_another_score_are_drift_whatever_else_changed(
    baseline, tmp_path
):
    elsewhere = copied(baseline, tmp_path, "nlvr2.dev")
    predictions = json.loads((elsewhere / CHECKPOINT / "nlvr2.dev.json").read_text())["predictions"]
    alter(elsewhere, "nlvr2.dev", flip(0, 1))  # the scores and the record, not the predictions
    edit_record(elsewhere, "nlvr2.dev", software=ELSEWHERE, predictions=predictions)
    outcome = check(copied(baseline, tmp_path / "r", "nlvr2.dev"), elsewhere)
    assert verdicts(outcome)["nlvr2 dev accuracy"] == "drifted"
    assert outcome.cells[0].reason == "the same predictions score differently"
