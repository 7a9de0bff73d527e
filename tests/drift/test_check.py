"""`xvlm-eval check`: drift, no drift, and refused comparisons."""

import json
import shutil
from xml.etree import ElementTree

import pytest

from harness.cli.main import main
from harness.drift.check import check
from harness.metrics.nlvr2 import group_of, image_set_of
from harness.models.fusion.runtime import Runtime
from harness.registry import find_task
from harness.running import launch
from harness.shapes.benchmark import embedded_data
from tests.drift.attacks import alter, flip
from tests.support.altered import CHECKPOINT, copied, edit_record, predict_otherwise, truths
from tests.support.loaded import loaded_after

# As the baseline was run.
RUN_TEST_B = [
    "run",
    "--task",
    "refcoco+",
    "--split",
    "testB",
    "--batch-size",
    "32",
    "--out",
]
# With another package the same predictions are no longer due, and metrics are tested.
ELSEWHERE = {"torch": "9.9.9"}


OTHER_WEIGHTS = {"sha256": "0" * 64}


def verdicts(outcome):
    return {f"{cell.task} {cell.split} {cell.metric}": cell.verdict for cell in outcome.cells}


@pytest.fixture
def only(baseline, tmp_path):
    """The baseline of some results alone, so that no other one is missing."""
    return lambda *stems: copied(baseline, tmp_path / "only", *stems)


def checked(capsys, *arguments):
    """Exit code and JSON of a check."""
    capsys.readouterr()
    code = main(["check", *map(str, arguments), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_again_is_identical_in_every_cell(baseline, tmp_path, capsys):
    assert main([*RUN_TEST_B, str(tmp_path)]) == 0
    copied(baseline, tmp_path, "nlvr2.dev", "nlvr2.test", "vqav2.test-dev")
    code, outcome = checked(capsys, tmp_path, "--baseline", baseline, "--require-all")
    assert code == 0 and not outcome["failed"]
    assert {cell["verdict"] for cell in outcome["cells"]} == {"identical"}
    assert [cell["metric"] for cell in outcome["cells"]] == [
        "accuracy",
        "consistency",
        "accuracy",
        "consistency",
        "accuracy",
        "predictions",
    ]


def load_perturbed(weights, **options):
    """Load a model and scale one of its tensors by 5 %."""
    model = load_model(weights, **options)
    model.network.bbox_head[0].weight.mul_(1.05)
    return model


load_model = launch.load_model


def test_one_tensor_off_by_five_percent_is_drift_and_the_cells_are_named(
    only, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(launch, "load_model", load_perturbed)
    assert main([*RUN_TEST_B, str(tmp_path / "r")]) == 0
    capsys.readouterr()
    baseline = only("refcoco+.testB")
    assert main(["check", str(tmp_path / "r"), "--baseline", str(baseline)]) == 1
    output = capsys.readouterr().out
    assert "696 of 696 predictions changed; inputs did not change" in output
    assert "although nothing that is recorded and that they depend on did" in output
    assert output.rstrip().endswith(
        "FAILED: of 1 cells, 1 drifted (xvlm-shapes refcoco+ testB accuracy)"
    )


def test_another_filter_is_reported_as_changed_inputs(baseline, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Runtime, "prepare", Runtime.prepare_bilinear)
    assert main([*RUN_TEST_B, str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["check", str(tmp_path), "--baseline", str(baseline)]) == 1
    assert "inputs changed: images, as prepared for the model" in capsys.readouterr().out
    assert main(["diff", str(baseline), str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert (
        "inputs changed: images, as prepared for the model" in output and "inputs.images" in output
    )


def test_a_single_changed_prediction_is_drift_where_the_same_ones_are_due(
    baseline, only, tmp_path, capsys
):
    results = copied(baseline, tmp_path, "nlvr2.dev")
    predict_otherwise(
        results, "nlvr2.dev", lambda predictions: {"dev-0-0-0": not predictions["dev-0-0-0"]}
    )
    capsys.readouterr()
    assert main(["check", str(results), "--baseline", str(only("nlvr2.dev"))]) == 1
    output = capsys.readouterr().out
    assert "nlvr2.dev.json: 1 of 160 predictions changed" in output
    assert (
        "  dev-0-0-0: " in output
        and "2 drifted (xvlm-shapes nlvr2 dev accuracy; xvlm-shapes nlvr2 dev consistency)"
        in output
    )


def boxes(results, change):
    """Change the first box of RefCOCO+ testB by `change(box, sample)`."""
    (sample, *_) = find_task("refcoco+").load(embedded_data(), "testB")
    predict_otherwise(
        results,
        "refcoco+.testB",
        lambda predictions: {sample.id: change(predictions[sample.id], sample)},
    )
    return results


@pytest.mark.parametrize(
    ("by", "verdict"),
    [(3e-7, "identical"), (2e-6, "identical"), (2e-5, "drifted"), (1e-3, "drifted")],
)
def test_last_digits_are_no_change_and_anything_beyond_is(baseline, only, tmp_path, by, verdict):
    results = boxes(
        copied(baseline, tmp_path, "refcoco+.testB"), lambda box, _: [box[0] + by, *box[1:]]
    )
    outcome = check(results, only("refcoco+.testB"))
    assert verdicts(outcome) == {"refcoco+ testB accuracy": verdict}
    (pair,) = outcome.compared
    assert (len(pair.predictions.changed), len(pair.predictions.last_digits)) == (
        (1, 0) if verdict == "drifted" else (0, 1)
    )


def test_last_digits_that_decide_about_a_box_are_drift_of_its_metric(baseline, tmp_path):
    def share(part):
        """A change to a box that covers the left `part` of the true one."""

        def change(_, sample):
            x, y, width, height = sample.box
            return [(x + part * width / 2) / sample.width, (y + height / 2) / sample.height,
                    part * width / sample.width, height / sample.height]  # fmt: skip

        return change

    before = boxes(copied(baseline, tmp_path / "b", "refcoco+.testB"), share(0.500004))
    after = boxes(copied(baseline, tmp_path / "a", "refcoco+.testB"), share(0.499996))
    (cell,) = check(after, before).cells
    assert (cell.verdict, cell.comparison.flips) == ("drifted", (1, 0))
    assert cell.reason == "the last digits of predictions moved, and with them this metric"


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


def test_predictions_of_hidden_truths_are_compared_themselves(baseline, only, tmp_path):
    results = copied(baseline, tmp_path, "vqav2.test-dev")
    predict_otherwise(
        results, "vqav2.test-dev", lambda predictions: {next(iter(predictions)): "a giraffe"}
    )
    outcome = check(results, only("vqav2.test-dev"))
    assert verdicts(outcome) == {"vqav2 test-dev predictions": "drifted"}


def test_every_format_says_the_same(baseline, only, tmp_path, capsys, monkeypatch):
    before = only("nlvr2.dev", "nlvr2.test")
    results = copied(baseline, tmp_path, "nlvr2.dev", "nlvr2.test")
    predict_otherwise(
        results, "nlvr2.dev", lambda predictions: {"dev-0-0-0": not predictions["dev-0-0-0"]}
    )
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    failed, output = {}, {}
    for format in ("terminal", "md", "json", "junit"):
        capsys.readouterr()
        failed[format] = main(
            ["check", str(results), "--baseline", str(before), "--format", format]
        )
        output[format] = capsys.readouterr().out
    assert set(failed.values()) == {1}
    assert output["terminal"].count("| nlvr2") == 0 and output["md"].count("| nlvr2") == 4
    assert [cell["verdict"] for cell in json.loads(output["json"])["cells"]] == [
        "drifted",
        "drifted",
        "identical",
        "identical",
    ]
    suite = ElementTree.fromstring(output["junit"])
    assert (suite.get("tests"), suite.get("failures")) == ("4", "2")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "accuracy",
        "consistency",
    ]
    assert (tmp_path / "summary.md").read_text().count(
        "FAILED: of 4 cells"
    ) == 4  # each of the four runs appended


def test_neither_check_nor_diff_loads_torch(baseline, tmp_path):
    verbs = (
        ["check", str(baseline), "--baseline", str(copied(baseline, tmp_path))],
        ["power", "--baseline", str(baseline)],
        ["diff", str(baseline), str(baseline)],
    )
    for verb, loaded in zip(verbs, loaded_after(*verbs), strict=True):
        assert not loaded & {"torch", "transformers", "datasets"}, verb
