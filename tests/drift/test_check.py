"""`xvlm-eval check` where the same predictions are due: each that changed is drift."""

import pytest

from harness.cli.main import main
from harness.drift.check import check
from harness.models.fusion.runtime import Runtime
from harness.registry import find_task
from harness.running import launch
from harness.shapes.benchmark import embedded_data
from tests.drift.checks import ELSEWHERE, checked, verdicts
from tests.support.altered import copied, edit_record, predict_otherwise

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


def test_predictions_of_hidden_truths_are_compared_themselves(baseline, only, tmp_path):
    results = copied(baseline, tmp_path, "vqav2.test-dev")
    predict_otherwise(
        results, "vqav2.test-dev", lambda predictions: {next(iter(predictions)): "a giraffe"}
    )
    outcome = check(results, only("vqav2.test-dev"))
    assert verdicts(outcome) == {"vqav2 test-dev predictions": "drifted"}


def test_unchanged_predictions_of_hidden_truths_pass_on_another_processor(baseline, tmp_path):
    before, after = tmp_path / "before", copied(baseline, tmp_path / "after", "vqav2.test-dev")
    edit_record(copied(baseline, before, "vqav2.test-dev"), "vqav2.test-dev", software=ELSEWHERE)
    outcome = check(after, before)
    assert verdicts(outcome) == {"vqav2 test-dev predictions": "identical"}
    assert not outcome.failed


def test_one_changed_prediction_of_hidden_truths_elsewhere_proves_nothing(baseline, tmp_path):
    before, after = tmp_path / "before", copied(baseline, tmp_path / "after", "vqav2.test-dev")
    edit_record(copied(baseline, before, "vqav2.test-dev"), "vqav2.test-dev", software=ELSEWHERE)
    predict_otherwise(
        after, "vqav2.test-dev", lambda predictions: {next(iter(predictions)): "a giraffe"}
    )
    outcome = check(after, before)
    assert not outcome.cells and outcome.failed
