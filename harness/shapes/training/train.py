"""Train the grounding weights of xvlm-shapes, the model of the embedded benchmark.

Run as `python -m harness.shapes.training.train`, or by `make shapes-checkpoint`. Training takes
about half an hour on two cores, minutes on a GPU. It is seeded: the same machine and library
versions give the same weights.
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
from harness.shapes.training.losses import AuxiliaryLosses, box_loss, iou
from harness.shapes.training.vocabulary import vocabulary

WEIGHTS = Path(__file__).parents[1] / "weights"
VISION = VisionArchitecture(
    resolution=96, window=6, width=24, depths=(1, 1, 2, 1), heads=(1, 2, 4, 8)
)
GRID_STAGE = 2  # the stage whose tokens are trained to detect objects: a grid of 6 x 6
TUNING_SCENES = 400
EVALUATE_EVERY = 500  # steps


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters, stored in the metadata of the weights.

    `naming` and `spotting` are the weights of the auxiliary losses.
    """

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
    """Train with the hyperparameters on the command line."""
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
    """Train a grounding model and write `refcoco+.safetensors` and `vocab.txt` into `out`.

    The weights are also saved at every evaluation.
    """
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    tokenizer = Tokenizer(out / "vocab.txt")
    began = time.monotonic()
    examples = training_examples(recipe.scenes, side=VISION.resolution, tokenizer=tokenizer)
    tuning = tuning_examples(tuning_scenes, side=VISION.resolution, tokenizer=tokenizer)
    print(
        f"{recipe.scenes} scenes, {len(examples.ids)} expressions drawn "
        f"in {time.monotonic() - began:.0f} s",
        flush=True,
    )
    network = initialised(architecture(len(tokenizer))).to(recipe.device)
    print(
        f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.2f} M parameters",
        flush=True,
    )
    began = time.monotonic()
    for step, loss in _steps(network, examples, recipe):
        if step % EVALUATE_EVERY == 0 or step == recipe.steps:
            percent = accuracy(network, tuning, device=recipe.device)
            print(
                f"step {step}  {time.monotonic() - began:.0f} s  loss {loss:.3f}  "
                f"unseen scenes {percent:.1f} %",
                flush=True,
            )
            save(network, out / "refcoco+.safetensors", recipe)


def architecture(pieces: int) -> Architecture:
    """Return the architecture of xvlm-shapes: X-VLM made small, with the same heads of width 64."""
    text = TextArchitecture(
        vocabulary=pieces,
        positions=40,
        width=128,
        heads=2,
        layers=4,
        fusion_layer=2,
        inner_width=512,
        encoder_width=VISION.output_width,
    )
    return Architecture(VISION, text)


def initialised(sizes: Architecture) -> GroundingNetwork:
    """Return an initialised network.

    Linear layers keep torch's default: BERT's standard deviation, 0.02, is too small for layers
    this narrow.
    """
    network = GroundingNetwork(fused(sizes))
    for name, parameter in network.named_parameters():
        if "embeddings.weight" in name:
            nn.init.normal_(parameter, std=0.1)
        elif "relative_position_bias_table" in name:
            nn.init.normal_(parameter, std=0.02)
    return network


@torch.no_grad()
def accuracy(network: GroundingNetwork, examples: Examples, *, device: str) -> float:
    """Return the percentage of expressions whose predicted box has an IoU of 0.5 or more."""
    network.eval()
    hits = []
    for scenes in torch.arange(len(examples.images)).split(50):
        rows = torch.arange(int(examples.first[scenes[0]]), int(examples.first[scenes[-1] + 1]))
        scene = torch.searchsorted(examples.first, rows, right=True) - 1
        tokens = network.vision_encoder(normalised(examples.images[scenes].to(device)))
        kv = network.text_encoder.project_kv(tokens)
        cls = fused_cls(
            network.text_encoder,
            _unpadded(examples.ids[rows]),
            kv.of_images,
            (scene - scenes[0]).tolist(),
            Device(torch.device(device), "float32"),
        )
        boxes = network.boxes(cls).cpu()
        hits.append(iou(boxes, examples.boxes[scene, examples.target[rows]]) >= 0.5)
    network.train()
    return 100 * torch.cat(hits).float().mean().item()


def save(network: GroundingNetwork, path: Path, recipe: Recipe) -> None:
    """Write the weights in half precision, whose rounding errors are too small to move a box."""
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
    """Train step by step; yield the step and its box loss."""
    grid: list[Tensor] = []
    last_block = network.vision_encoder.get_submodule(
        f"layers.{GRID_STAGE}.blocks.{VISION.depths[GRID_STAGE] - 1}"
    )
    last_block.register_forward_hook(lambda _module, _inputs, tokens: grid.append(tokens))
    auxiliary = AuxiliaryLosses(fused_width=128, grid_width=VISION.width * 2**GRID_STAGE)
    auxiliary.to(recipe.device)
    parameters = [*network.parameters(), *auxiliary.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, recipe.peak_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=recipe.steps, pct_start=recipe.warm_up
    )
    encoder, device = network.text_encoder, Device(torch.device(recipe.device), "float32")
    dtype = getattr(torch, recipe.dtype)
    network.train()
    for step in range(1, recipe.steps + 1):
        batch = _Batch(*(tensor.to(recipe.device) for tensor in _batch(examples, recipe)))
        grid.clear()
        with torch.autocast(device.torch.type, dtype, enabled=dtype != torch.float32):
            kv = encoder.project_kv(network.vision_encoder(normalised(batch.images)))
            texts = _unpadded(batch.ids.flatten(0, 1))
            image_of = torch.arange(len(batch.images)).repeat_interleave(batch.ids.shape[1])
            fused = fused_cls(encoder, texts, kv.of_images, image_of.tolist(), device)
            fused = fused.unflatten(0, batch.ids.shape[:2])
            predicted = torch.sigmoid(network.bbox_head(fused)).float()
            scene = torch.arange(len(batch.images), device=batch.target.device)[:, None]
            grounding = box_loss(predicted, batch.boxes[scene, batch.target])
            naming = auxiliary.naming_loss(fused, batch.properties[scene, batch.target])
            spotting = auxiliary.spotting_loss(
                torch.cat(grid), batch.boxes, batch.properties, batch.objects
            )
        loss = grounding + recipe.naming * naming + recipe.spotting * spotting
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        yield step, grounding.item()


def _unpadded(ids: Tensor) -> list[list[int]]:
    """Return the token ids of texts `[n, T]` without their padding."""
    return [row[row > 0].tolist() for row in ids.cpu()]


class _Batch(NamedTuple):
    """B scenes as in `Examples`, each with n expressions.

    `ids` `[B, n, T]` refer to the objects `target` `[B, n]`.
    """

    images: Tensor
    boxes: Tensor
    properties: Tensor
    objects: Tensor
    ids: Tensor
    target: Tensor


def _batch(examples: Examples, recipe: Recipe) -> _Batch:
    """Draw scenes and some of their expressions.

    Half of the scenes are mirrored: no expression of this benchmark depends on positions.
    """
    scenes = torch.randint(len(examples.images), (recipe.images_per_step,))
    first = examples.first[scenes, None]
    count = examples.first[scenes + 1, None] - first
    rows = first + (torch.rand(len(scenes), recipe.expressions_per_image) * count).long()
    images, boxes = examples.images[scenes], examples.boxes[scenes].clone()
    mirrored = torch.rand(len(scenes)) < 0.5
    images[mirrored] = images[mirrored].flip(3)
    boxes[mirrored, :, 0] = 1 - boxes[mirrored, :, 0]
    ids = examples.ids[rows]
    ids = ids[:, :, : int((ids > 0).sum(-1).max())]
    return _Batch(
        images=images,
        boxes=boxes,
        properties=examples.properties[scenes],
        objects=examples.objects[scenes],
        ids=ids,
        target=examples.target[rows],
    )


if __name__ == "__main__":
    main()
