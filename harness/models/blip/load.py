"""Load BLIP weights as the capability that a task needs."""

from functools import partial
from pathlib import Path
from typing import Any

from harness.capabilities import (
    Answerer,
    AnswerGenerator,
    AttributeMatcher,
    Captioner,
    PairReasoner,
    PairScorer,
)
from harness.checkpoints import Weights
from harness.errors import CapabilityError
from harness.models.blip.adapters import (
    BlipAnswerer,
    BlipAnswerGenerator,
    BlipAttributeMatcher,
    BlipCaptioner,
    BlipPairReasoner,
    BlipRetriever,
)
from harness.models.blip.key_names import official_names
from harness.models.fusion.loading import load_as
from harness.models.vit.audit import Audit, audit_as
from harness.models.vit.checkpoint import read_weights

ADAPTERS: dict[type, Any] = {
    Answerer: BlipAnswerer,
    AnswerGenerator: BlipAnswerGenerator,
    AttributeMatcher: BlipAttributeMatcher,
    Captioner: BlipCaptioner,
    PairReasoner: BlipPairReasoner,
    PairScorer: BlipRetriever,
}

LEFT_OUT = {"generated": Answerer, "ranked": AnswerGenerator}  # by `answers` of --model-args


def load(weights: Weights, *, needs: type, device: str, dtype: str) -> Any:
    """Return the weights as a model with the capability `needs`.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all,
    UsageError for settings that make no sense.
    """
    read = partial(read_weights, rename=official_names)
    answers = weights.arguments.get("answers")
    if needs is LEFT_OUT.get(answers or ""):
        raise CapabilityError(f"{weights.name}: answers={answers} leaves no {needs.__name__}")
    return load_as("BLIP", ADAPTERS, read, weights, needs=needs, device=device, dtype=dtype)


def describe(path: Path) -> Audit:
    """Describe a weight file. Raises CheckpointError for one that is not a checkpoint of BLIP."""
    return audit_as("BLIP", ADAPTERS, official_names, path)
