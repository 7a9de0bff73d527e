"""Training of the embedded model: losses by hand, and a few steps to weights that a run accepts."""

import json

import pytest
import torch
from safetensors import safe_open

from harness.cli.main import main
from harness.models.fusion.tokenizer import Tokenizer
from harness.shapes.training import examples
from harness.shapes.training.dataset import RenderedDataset
from harness.shapes.training.heads import PLANS, head_architecture
from harness.shapes.training.losses import box_loss, generalised_iou, iou
from harness.shapes.training.train import VISION, WEIGHTS, Recipe, train
from harness.shapes.world.scenes import Rng, training_scene
from tests.support.forked import forking, processes

SQUARE = torch.tensor([0.5, 0.5, 0.2, 0.2])  # (cx, cy, w, h)


@pytest.mark.parametrize(
    ("other", "expected_iou", "expected_giou"),
    [
        ([0.5, 0.5, 0.2, 0.2], 1.0, 1.0),
        ([0.5, 0.5, 0.2, 0.1], 0.5, 0.5),
        # Side by side, overlapping by half: the enclosing box is covered.
        ([0.6, 0.5, 0.2, 0.2], 1 / 3, 1 / 3),
        # Corner to corner: half of the enclosing box is empty.
        ([0.7, 0.7, 0.2, 0.2], 0.0, -0.5),
        ([0.9, 0.5, 0.2, 0.2], 0.0, -1 / 3),
    ],
)
def test_iou_and_generalised_iou_are_those_worked_out_by_hand(other, expected_iou, expected_giou):
    box = torch.tensor(other)
    assert iou(SQUARE, box).item() == pytest.approx(expected_iou, abs=1e-6)
    assert generalised_iou(SQUARE, box).item() == pytest.approx(expected_giou, abs=1e-6)


def test_the_box_loss_is_one_minus_giou_plus_five_times_l1():
    other = torch.tensor([0.7, 0.7, 0.2, 0.2])
    assert box_loss(SQUARE[None], SQUARE[None]).item() == pytest.approx(0, abs=1e-6)
    assert box_loss(other[None], SQUARE[None]).item() == pytest.approx(
        1.5 + 5 * (0.2 + 0.2) / 4, abs=1e-6
    )


def test_a_few_steps_end_in_weights_that_a_run_accepts(tmp_path, monkeypatch, capsys):
    # Scenes are drawn in spawned processes: here, in some that have imported torch.
    monkeypatch.setattr(examples, "get_context", {"spawn": processes}.__getitem__)
    # More images per step than the encoder computes at once.
    recipe = Recipe(
        scenes=20, steps=2, images_per_step=17, expressions_per_image=2, dtype="float32"
    )
    with forking():
        train(tmp_path / "weights", recipe, tuning_scenes=2)
    assert "step 2" in capsys.readouterr().out
    with safe_open(tmp_path / "weights" / "refcoco+.safetensors", "pt") as file:
        assert json.loads(file.metadata()["recipe"])["steps"] == 2
    weights = str(tmp_path / "weights" / "refcoco+.safetensors")
    run = ["run", "--task", "refcoco+", "--split", "val", "--limit", "4", "--checkpoint", weights]
    assert main([*run, "--out", str(tmp_path / "runs")]) == 0


# Loss of the untrained network on eight scenes without pixels, and the random number drawn next.
FIRST_LOSSES = {
    "retrieval": (5.76564, 0.7962713033095149),
    "vqa": (31.64078, 0.3450641323518704),
    "nlvr": (0.72924, 0.3262765457620296),
    "captioning": (26.54939, 0.3450641323518704),
}


@pytest.mark.parametrize("head", FIRST_LOSSES)
@torch.no_grad()
def test_an_objective_draws_the_same_sentences_and_has_the_same_loss(head):
    scenes = tuple(training_scene(str(seed)) for seed in range(8))
    pixels = torch.zeros(8, 3, VISION.resolution, VISION.resolution, dtype=torch.uint8)
    dataset = RenderedDataset(scenes, pixels, pixels, tuple(scene.objects[0] for scene in scenes))
    tokenizer, plan = Tokenizer(WEIGHTS / "vocab.txt"), PLANS[head]
    torch.manual_seed(0)
    objective = plan.objective(head_architecture(plan, len(tokenizer)), tokenizer)
    objective.network.eval()
    rng = Rng("0")
    loss = objective.loss(dataset, torch.arange(8), rng).item()
    expected_loss, next_number = FIRST_LOSSES[head]
    assert loss == pytest.approx(expected_loss, rel=1e-3)
    assert rng.random() == next_number
