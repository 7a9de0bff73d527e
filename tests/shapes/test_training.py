"""The recipe of the embedded model: its losses by hand, and that a few steps end in weights that the harness runs."""

import json

import pytest
import torch
from safetensors import safe_open

from harness.cli.main import main
from harness.shapes.training.losses import box_loss, generalised_iou, overlap
from harness.shapes.training.train import Recipe, train

SQUARE = torch.tensor([0.5, 0.5, 0.2, 0.2])  # (cx, cy, w, h)


@pytest.mark.parametrize(
    ("other", "iou", "giou"),
    [
        ([0.5, 0.5, 0.2, 0.2], 1.0, 1.0),
        ([0.5, 0.5, 0.2, 0.1], 0.5, 0.5),
        (
            [0.6, 0.5, 0.2, 0.2],
            1 / 3,
            1 / 3,
        ),  # side by side, half over half: the box around them is covered
        ([0.7, 0.7, 0.2, 0.2], 0.0, -0.5),  # corner to corner: half of the box around them is empty
        ([0.9, 0.5, 0.2, 0.2], 0.0, -1 / 3),
    ],
)
def test_overlaps_of_boxes(other, iou, giou):
    assert overlap(SQUARE, torch.tensor(other)).item() == pytest.approx(iou, abs=1e-6)
    assert generalised_iou(SQUARE, torch.tensor(other)).item() == pytest.approx(giou, abs=1e-6)


def test_the_loss_of_a_box_is_its_lack_of_overlap_and_five_times_its_distance():
    other = torch.tensor([0.7, 0.7, 0.2, 0.2])
    assert box_loss(SQUARE[None], SQUARE[None]).item() == pytest.approx(0, abs=1e-6)
    assert box_loss(other[None], SQUARE[None]).item() == pytest.approx(
        1.5 + 5 * (0.2 + 0.2) / 4, abs=1e-6
    )


def test_a_few_steps_end_in_weights_that_the_harness_runs(tmp_path, capsys):
    recipe = Recipe(
        scenes=20, steps=2, images_per_step=17, expressions_per_image=2, dtype="float32"
    )  # more than are encoded together
    train(tmp_path / "weights", recipe, tuning_scenes=2)
    assert "step 2" in capsys.readouterr().out
    with safe_open(tmp_path / "weights" / "refcoco+.safetensors", "pt") as file:
        assert json.loads(file.metadata()["recipe"])["steps"] == 2
    weights = str(tmp_path / "weights" / "refcoco+.safetensors")
    assert (
        main(
            [
                "run",
                "--task",
                "refcoco+",
                "--split",
                "val",
                "--limit",
                "4",
                "--checkpoint",
                weights,
                "--out",
                str(tmp_path / "runs"),
            ]
        )
        == 0
    )
