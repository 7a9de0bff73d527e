"""Train the other heads of xvlm-shapes, initialised with its grounding weights.

The second half of the recipe: as the encoders are trained, each head takes minutes on two cores.
Seeded, as the first half is.
"""

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from harness.models.fusion.tokenizer import Tokenizer
from harness.models.weights import read_tensors
from harness.models.xvlm.heads import FusedArchitecture
from harness.shapes.training.dataset import RenderedDataset, training_dataset, tuning_dataset
from harness.shapes.training.objectives import (
    CaptioningObjective,
    NLVRObjective,
    Objective,
    RetrievalObjective,
    VQAObjective,
)
from harness.shapes.training.train import VISION, WEIGHTS, architecture
from harness.shapes.world.scenes import Rng

TUNING_SCENES = 256
_LAYER = re.compile(r"\.layer\.(\d+)\.")
EVALUATE_EVERY = 250  # steps


@dataclass(frozen=True)
class Plan:
    """Objective and hyperparameters of one head.

    The numbers of layers are chosen to keep all weights of the project within 16 MiB.
    """

    objective: Callable[[FusedArchitecture, Tokenizer], Objective]
    text_layers: int
    fusion_layers: int
    steps: int
    peak_rate: float = 1e-3


PLANS = {
    "retrieval": Plan(RetrievalObjective, text_layers=2, fusion_layers=2, steps=1800),
    "vqa": Plan(VQAObjective, text_layers=1, fusion_layers=1, steps=1500),
    "nlvr": Plan(NLVRObjective, text_layers=1, fusion_layers=2, steps=5000),
    "captioning": Plan(CaptioningObjective, text_layers=1, fusion_layers=1, steps=1200),
}


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters that all heads share, stored in the metadata of their weights."""

    scenes: int = 12000
    images_per_step: int = 64
    warm_up: float = 0.1
    weight_decay: float = 0.02
    dtype: str = "float32"
    seed: int = 0


def main() -> None:
    """Train the heads named on the command line, by default all."""
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
    dataset = training_dataset(recipe.scenes, side=VISION.resolution)
    tuning = tuning_dataset(TUNING_SCENES, side=VISION.resolution)
    for head in options.heads:
        plan = PLANS[head] if options.steps is None else replace(PLANS[head], steps=options.steps)
        train_head(head, plan, recipe, dataset, tuning, out=options.out)


def train_head(
    head: str,
    plan: Plan,
    recipe: Recipe,
    dataset: RenderedDataset,
    tuning: RenderedDataset,
    *,
    out: Path,
) -> None:
    """Train one head from the grounding weights in `out` and write `<head>.safetensors` there."""
    torch.manual_seed(recipe.seed)
    tokenizer = Tokenizer(out / "vocab.txt")
    objective = plan.objective(head_architecture(plan, len(tokenizer)), tokenizer)
    network = objective.network
    initialised = _initialise(network, out / "refcoco+.safetensors", plan)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(
        f"{head}: {parameters / 1e6:.2f} M parameters, {initialised} tensors initialised",
        flush=True,
    )
    optimizer = torch.optim.AdamW(
        network.parameters(),
        plan.peak_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.peak_rate, total_steps=plan.steps, pct_start=recipe.warm_up
    )
    dtype, rng = getattr(torch, recipe.dtype), Rng(f"{head}:{recipe.seed}")
    network.train()
    began, running = time.monotonic(), 0.0
    for step in range(1, plan.steps + 1):
        rows = torch.randint(len(dataset.scenes), (recipe.images_per_step,))
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = objective.loss(dataset, rows, rng)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        running += (loss.item() - running) / min(step, EVALUATE_EVERY)
        if step % EVALUATE_EVERY == 0 or step == plan.steps:
            unseen = _tuning_loss(objective, tuning)
            print(
                f"{head} step {step}  {time.monotonic() - began:.0f} s  loss {running:.3f}  "
                f"unseen {unseen:.3f}",
                flush=True,
            )
            _save(network, out / f"{head}.safetensors", head, plan, recipe)


def head_architecture(plan: Plan, pieces: int) -> FusedArchitecture:
    """Return the architecture of a head for a vocabulary of `pieces`."""
    text = architecture(pieces).text
    assert text is not None
    return FusedArchitecture(
        VISION,
        replace(text, layers=plan.text_layers + plan.fusion_layers, fusion_layer=plan.text_layers),
    )


@torch.no_grad()
def _tuning_loss(objective: Objective, tuning: RenderedDataset) -> float:
    """Return the mean loss on unseen scenes."""
    objective.network.eval()
    losses = [
        objective.loss(tuning, rows, Rng("tuning")).item()
        for rows in torch.arange(len(tuning.scenes)).split(64)
    ]
    objective.network.train()
    return sum(losses) / len(losses)


def _initialise(network: nn.Module, grounding: Path, plan: Plan) -> int:
    """Copy the tensors that a network shares with the grounding weights; return their number.

    Fusion layers are initialised with the grounding model's fusion layers.
    """
    tensors = read_tensors(grounding)
    decodes = not hasattr(network, "text_encoder")
    shared = {}
    for name, parameter in network.state_dict().items():
        source = name.replace("text_decoder.bert.", "text_encoder.") if decodes else name
        source = _LAYER.sub(partial(_grounding_layer, plan=plan), source, count=1)
        if source in tensors and tensors[source].shape == parameter.shape:
            shared[name] = tensors[source].float()
    network.load_state_dict(shared, strict=False)
    return len(shared)


def _grounding_layer(layer: re.Match[str], *, plan: Plan) -> str:
    """Return the part of a tensor's name that names the layer of the grounding model to copy."""
    text = architecture(1).text
    assert text is not None
    number = int(layer[1])
    fusion = number - plan.text_layers
    return f".layer.{text.fusion_layer + fusion if 0 <= fusion < plan.fusion_layers else number}."


def _save(network: nn.Module, path: Path, head: str, plan: Plan, recipe: Recipe) -> None:
    """Write the weights in half precision, as the grounding weights are."""
    tensors = {
        name: tensor.detach().half().contiguous().clone()
        for name, tensor in network.state_dict().items()
    }
    hyperparameters = {**asdict(recipe), "steps": plan.steps, "peak_rate": plan.peak_rate}
    save_file(
        tensors,
        path,
        metadata={
            "model": "xvlm-shapes",
            "head": head,
            "recipe": json.dumps(hyperparameters),
            "torch": torch.__version__,
        },
    )


if __name__ == "__main__":
    main()
