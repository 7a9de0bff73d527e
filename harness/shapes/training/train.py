"""Train xvlm-shapes, the model of the embedded benchmark: `python -m harness.shapes.training.train`, or `make shapes-checkpoint`.

About half an hour on two cores, minutes on a GPU. Seeded: the same machine and library versions give the same weights.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.engine.device import Device
from harness.models.fusion.fused_texts import fused_cls
from harness.models.fusion.sizes import TextArchitecture
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.heads import GroundingNetwork, fused
from harness.shapes.training.dataset import normalised
from harness.shapes.training.examples import Examples, training_examples, tuning_examples
from harness.shapes.training.losses import Lessons, box_loss, overlap
from harness.shapes.training.vocabulary import vocabulary

WEIGHTS = Path(__file__).parents[1] / "weights"
VISION = VisionArchitecture(
    resolution=96, window=6, width=24, depths=(1, 1, 2, 1), heads=(1, 2, 4, 8)
)
GRID_STAGE = 2  # the stage whose tokens learn to spot objects: a grid of 6 x 6
TUNING_SCENES = 400
LOOK_EVERY = 500  # steps from one look at unseen scenes to the next


@dataclass(frozen=True)
class Recipe:
    """What the weights depend on, besides the code: kept in the file that holds them."""

    scenes: int = 30000
    steps: int = 6000
    images_per_step: int = 64
    expressions_per_image: int = 4
    peak_rate: float = 1e-3
    warm_up: float = 0.1
    weight_decay: float = 0.02
    naming: float = 1.0
    spotting: float = 1.0
    dtype: str = "bfloat16"
    device: str = "cpu"
    seed: int = 0


def main() -> None:
    """Train by the recipe of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for name, default in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument(
        "--out", type=Path, default=WEIGHTS, help="folder for the weights and their vocabulary"
    )
    options = vars(parser.parse_args())
    train(options.pop("out"), Recipe(**options))


def train(out: Path, recipe: Recipe, *, tuning_scenes: int = TUNING_SCENES) -> None:
    """Train a grounding model and write `refcoco+.safetensors` and `vocab.txt` into `out`; the weights are also saved on the way."""
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    tokenizer = Tokenizer(out / "vocab.txt")
    began = time.monotonic()
    examples = training_examples(recipe.scenes, side=VISION.resolution, tokenizer=tokenizer)
    tuning = tuning_examples(tuning_scenes, side=VISION.resolution, tokenizer=tokenizer)
    print(
        f"{recipe.scenes} scenes, {len(examples.ids)} expressions drawn in {time.monotonic() - began:.0f} s",
        flush=True,
    )
    network = initialised(architecture(len(tokenizer))).to(recipe.device)
    print(
        f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.2f} M parameters",
        flush=True,
    )
    began = time.monotonic()
    for step, loss in _steps(network, examples, recipe):
        if step % LOOK_EVERY == 0 or step == recipe.steps:
            right = accuracy(network, tuning, device=recipe.device)
            print(
                f"step {step}  {time.monotonic() - began:.0f} s  loss {loss:.3f}  unseen scenes {right:.1f} %",
                flush=True,
            )
            save(network, out / "refcoco+.safetensors", recipe)


def architecture(pieces: int) -> Architecture:
    """Return the sizes of xvlm-shapes: those of X-VLM made small, heads of 64 included."""
    text = TextArchitecture(
        vocabulary=pieces, positions=40, width=128, heads=2, layers=4, fusion_layer=2, inner_width=512,
        encoder_width=VISION.output_width,
    )  # fmt: skip
    return Architecture(VISION, text)


def initialised(sizes: Architecture) -> GroundingNetwork:
    """Return a network to train. Linear layers keep torch's own start: BERT's (0.02) is too faint for layers this narrow."""
    network = GroundingNetwork(fused(sizes))
    for name, parameter in network.named_parameters():
        if "embeddings.weight" in name:
            nn.init.normal_(parameter, std=0.1)
        elif "relative_position_bias_table" in name:
            nn.init.normal_(parameter, std=0.02)
    return network


@torch.no_grad()
def accuracy(network: GroundingNetwork, examples: Examples, *, device: str) -> float:
    """Return the share of all expressions whose box overlaps the true one by half, in percent."""
    network.eval()
    right = []
    for scenes in torch.arange(len(examples.images)).split(50):
        rows = torch.arange(int(examples.first[scenes[0]]), int(examples.first[scenes[-1] + 1]))
        scene = torch.searchsorted(examples.first, rows, right=True) - 1
        tokens = network.vision_encoder(normalised(examples.images[scenes].to(device)))
        kv = network.text_encoder.project_kv(tokens)
        texts, image_of = _texts(examples.ids[rows]), (scene - scenes[0]).tolist()
        on = Device(torch.device(device), "float32")
        cls = fused_cls(network.text_encoder, texts, kv.of_images, image_of, on)
        boxes = network.boxes(cls).cpu()
        right.append(overlap(boxes, examples.boxes[scene, examples.target[rows]]) >= 0.5)
    network.train()
    return 100 * torch.cat(right).float().mean().item()


def save(network: GroundingNetwork, path: Path, recipe: Recipe) -> None:
    """Write the weights in half precision: half the bytes, and the differences lie far below what moves a box."""
    tensors = {
        name: tensor.detach().cpu().half().contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(
        tensors,
        path,
        metadata={
            "model": "xvlm-shapes",
            "recipe": json.dumps(asdict(recipe)),
            "torch": torch.__version__,
        },
    )


def _steps(
    network: GroundingNetwork, examples: Examples, recipe: Recipe
) -> Iterator[tuple[int, float]]:
    """Train step by step; yields the step and its box loss."""
    grid: list[Tensor] = []
    spotted = network.vision_encoder.get_submodule(
        f"layers.{GRID_STAGE}.blocks.{VISION.depths[GRID_STAGE] - 1}"
    )
    spotted.register_forward_hook(
        lambda _module, _inputs, tokens: grid.append(tokens)
    )  # of some images at a time
    lessons = Lessons(fused_width=128, grid_width=VISION.width * 2**GRID_STAGE).to(recipe.device)
    parameters = [*network.parameters(), *lessons.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, recipe.peak_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=recipe.steps, pct_start=recipe.warm_up
    )
    kind, dtype = torch.device(recipe.device).type, getattr(torch, recipe.dtype)
    device = Device(torch.device(recipe.device), "float32")
    network.train()
    for step in range(1, recipe.steps + 1):
        drawn = _Drawn(*(part.to(recipe.device) for part in _drawn(examples, recipe)))
        grid.clear()
        with torch.autocast(kind, dtype, enabled=dtype != torch.float32):
            encoder = network.text_encoder
            kv = encoder.project_kv(network.vision_encoder(normalised(drawn.images)))
            count, each = drawn.ids.shape[:2]
            image_of = torch.arange(count).repeat_interleave(each).tolist()
            texts = _texts(drawn.ids.flatten(0, 1))
            fused = fused_cls(encoder, texts, kv.of_images, image_of, device)
            fused = fused.unflatten(0, (count, each))
            predicted = torch.sigmoid(network.bbox_head(fused)).float()
            scene = torch.arange(len(drawn.images), device=drawn.target.device)[:, None]
            grounding = box_loss(predicted, drawn.boxes[scene, drawn.target])
            naming = lessons.name(fused, drawn.looks[scene, drawn.target])
            spotting = lessons.spot(torch.cat(grid), drawn.boxes, drawn.looks, drawn.objects)
        loss = grounding + recipe.naming * naming + recipe.spotting * spotting
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        yield step, grounding.item()


def _texts(ids: Tensor) -> list[list[int]]:
    """Return texts [n, T] without their padding."""
    return [row[row > 0].tolist() for row in ids.cpu()]


class _Drawn(NamedTuple):
    """One step's scenes, as in `Examples`, and n expressions for each: `ids` [B, n, T] about objects `target` [B, n]."""

    images: Tensor
    boxes: Tensor
    looks: Tensor
    objects: Tensor
    ids: Tensor
    target: Tensor


def _drawn(examples: Examples, recipe: Recipe) -> _Drawn:
    """Draw scenes and some of their expressions; half of the scenes are mirrored, which no expression of this benchmark can tell."""
    scenes = torch.randint(len(examples.images), (recipe.images_per_step,))
    first, said = (
        examples.first[scenes, None],
        examples.first[scenes + 1, None] - examples.first[scenes, None],
    )
    rows = first + (torch.rand(len(scenes), recipe.expressions_per_image) * said).long()
    images, boxes = examples.images[scenes], examples.boxes[scenes].clone()
    mirrored = torch.rand(len(scenes)) < 0.5
    images[mirrored] = images[mirrored].flip(3)
    boxes[mirrored, :, 0] = 1 - boxes[mirrored, :, 0]
    ids = examples.ids[rows]
    ids = ids[:, :, : int((ids > 0).sum(-1).max())]
    return _Drawn(
        images, boxes, examples.looks[scenes], examples.objects[scenes], ids, examples.target[rows]
    )


if __name__ == "__main__":
    main()
