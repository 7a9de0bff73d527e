"""Load ALBEF weights as the capability that a task needs."""

from functools import partial
from pathlib import Path
from typing import Any

from harness.capabilities import Answerer, AttributeMatcher, Localizer, PairReasoner, PairScorer
from harness.checkpoints import Weights
from harness.models.albef.adapters import (
    AlbefAnswerer,
    AlbefAttributeMatcher,
    AlbefCosineLocalizer,
    AlbefLocalizer,
    AlbefPairReasoner,
    AlbefRetriever,
)
from harness.models.albef.networks import official_names
from harness.models.fusion.loading import load_as
from harness.models.vit.audit import Audit, audit_as
from harness.models.vit.checkpoint import read_weights

ADAPTERS: dict[type, Any] = {
    Answerer: AlbefAnswerer,
    AttributeMatcher: AlbefAttributeMatcher,
    Localizer: AlbefLocalizer,
    PairReasoner: AlbefPairReasoner,
    PairScorer: AlbefRetriever,
}


def load(weights: Weights, *, needs: type, device: str, dtype: str) -> Any:
    """Return the weights as a model with the capability `needs`.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all,
    UsageError for settings that make no sense.
    """
    read = partial(read_weights, rename=official_names)
    by_cosine = weights.arguments.get("gradcam") == "itc"
    adapters = {**ADAPTERS, Localizer: AlbefCosineLocalizer} if by_cosine else ADAPTERS
    return load_as("ALBEF", adapters, read, weights, needs=needs, device=device, dtype=dtype)


def describe(path: Path) -> Audit:
    """Describe a weight file. Raises CheckpointError for one that is not a checkpoint of ALBEF."""
    return audit_as("ALBEF", ADAPTERS, official_names, path)
