"""Train the other heads of xvlm-shapes from its grounding weights: the second half of the recipe.

The encoders have learnt to see and to read by then, so each head takes minutes on two cores. Seeded, as the first half is.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from harness.models.fusion.tokenizer import Tokenizer
from harness.models.weights import read_tensors
from harness.models.xvlm.heads import FusedArchitecture
from harness.shapes.training.dataset import Scenery, training_scenery, tuning_scenery
from harness.shapes.training.objectives import Answering, Comparing, Course, Describing, Judging
from harness.shapes.training.train import VISION, WEIGHTS, architecture
from harness.shapes.world.scenes import Dice

TUNING_SCENES = 256
LOOK_EVERY = 250  # steps from one look at unseen scenes to the next


@dataclass(frozen=True)
class Plan:
    """How one head is trained. `text_layers` and `fusion_layers` keep all weights of the project within their 16 MiB."""

    course: Callable[[FusedArchitecture, Tokenizer], Course]
    text_layers: int
    fusion_layers: int
    steps: int
    peak_rate: float = 1e-3


PLANS = {
    "retrieval": Plan(Comparing, text_layers=2, fusion_layers=2, steps=1800),
    "vqa": Plan(Answering, text_layers=1, fusion_layers=1, steps=1500),
    "nlvr": Plan(Judging, text_layers=1, fusion_layers=2, steps=5000),
    "captioning": Plan(Describing, text_layers=1, fusion_layers=1, steps=1200),
}


@dataclass(frozen=True)
class Recipe:
    """What the weights depend on, besides the code and the grounding weights: kept in the file that holds them."""

    scenes: int = 12000
    images_per_step: int = 64
    warm_up: float = 0.1
    weight_decay: float = 0.02
    dtype: str = "float32"
    seed: int = 0


def main() -> None:
    """Train the heads that the command line names, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "heads", nargs="*", default=list(PLANS), metavar="HEAD", help=f"of {', '.join(PLANS)}"
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the weights")
    parser.add_argument("--scenes", type=int, default=Recipe.scenes)
    parser.add_argument("--steps", type=int, help="instead of each head's own")
    options = parser.parse_args()
    recipe = Recipe(scenes=options.scenes)
    scenery, tuning = (
        training_scenery(recipe.scenes, side=VISION.resolution),
        tuning_scenery(TUNING_SCENES, side=VISION.resolution),
    )
    for head in options.heads:
        plan = PLANS[head] if options.steps is None else replace(PLANS[head], steps=options.steps)
        train_head(head, plan, recipe, scenery, tuning, out=options.out)


def train_head(
    head: str, plan: Plan, recipe: Recipe, scenery: Scenery, tuning: Scenery, *, out: Path
) -> None:
    """Train one head from the grounding weights in `out`, and write `<head>.safetensors` beside them."""
    torch.manual_seed(recipe.seed)
    course = plan.course(_sizes(plan, out), Tokenizer(out / "vocab.txt"))
    begun = _begin(course.network, out / "refcoco+.safetensors", plan)
    print(
        f"{head}: {sum(p.numel() for p in course.network.parameters()) / 1e6:.2f} M parameters, {begun} tensors begun",
        flush=True,
    )
    optimizer = torch.optim.AdamW(
        course.network.parameters(),
        plan.peak_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.peak_rate, total_steps=plan.steps, pct_start=recipe.warm_up
    )
    dtype, dice = getattr(torch, recipe.dtype), Dice(f"{head}:{recipe.seed}")
    course.network.train()
    began, running = time.monotonic(), 0.0
    for step in range(1, plan.steps + 1):
        rows = torch.randint(len(scenery.scenes), (recipe.images_per_step,))
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = course.loss(scenery, rows, dice)
        loss.backward()
        nn.utils.clip_grad_norm_(course.network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        running += (loss.item() - running) / min(step, LOOK_EVERY)
        if step % LOOK_EVERY == 0 or step == plan.steps:
            unseen = _unseen(course, tuning)
            print(
                f"{head} step {step}  {time.monotonic() - began:.0f} s  loss {running:.3f}  unseen {unseen:.3f}",
                flush=True,
            )
            _save(course.network, out / f"{head}.safetensors", head, plan, recipe)


@torch.no_grad()
def _unseen(course: Course, tuning: Scenery) -> float:
    course.network.eval()
    losses = [
        course.loss(tuning, rows, Dice("tuning")).item()
        for rows in torch.arange(len(tuning.scenes)).split(64)
    ]
    course.network.train()
    return sum(losses) / len(losses)


def _sizes(plan: Plan, out: Path) -> FusedArchitecture:
    pieces = len((out / "vocab.txt").read_text(encoding="utf-8").splitlines())
    text = architecture(pieces).text
    assert text is not None
    return FusedArchitecture(
        VISION,
        replace(text, layers=plan.text_layers + plan.fusion_layers, fusion_layer=plan.text_layers),
    )


def _begin(network: nn.Module, grounding: Path, plan: Plan) -> int:
    """Copy what a network has in common with the grounding weights; fusion layers go on with the last ones of the grounding model."""
    tensors = read_tensors(grounding)
    text = architecture(1).text
    assert text is not None
    given = {}
    for name, parameter in network.state_dict().items():
        source = (
            name.replace("text_decoder.bert.", "text_encoder.")
            if not hasattr(network, "text_encoder")
            else name
        )
        for number in range(plan.text_layers, plan.text_layers + plan.fusion_layers):
            old = text.fusion_layer + number - plan.text_layers
            if f".layer.{number}." in source:
                source = source.replace(f".layer.{number}.", f".layer.{old}.")
                break
        if source in tensors and tensors[source].shape == parameter.shape:
            given[name] = tensors[source].float()
    network.load_state_dict(given, strict=False)
    return len(given)


def _save(network: nn.Module, path: Path, head: str, plan: Plan, recipe: Recipe) -> None:
    """Write the weights in half precision, as those of the grounding head."""
    tensors = {
        name: tensor.detach().half().contiguous().clone()
        for name, tensor in network.state_dict().items()
    }
    kept = {**asdict(recipe), "steps": plan.steps, "peak_rate": plan.peak_rate}
    save_file(
        tensors,
        path,
        metadata={
            "model": "xvlm-shapes",
            "head": head,
            "recipe": json.dumps(kept),
            "torch": torch.__version__,
        },
    )


if __name__ == "__main__":
    main()
