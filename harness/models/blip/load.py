"""Load BLIP weights as the capability that a task needs."""

from pathlib import Path
from typing import Any

from harness.capabilities import Answerer, AttributeMatcher, Captioner, PairReasoner, PairScorer
from harness.checkpoints import Weights
from harness.models.blip.adapters import (
    BlipAnswerer,
    BlipAttributeMatcher,
    BlipCaptioner,
    BlipPairReasoner,
    BlipRetriever,
)
from harness.models.blip.key_names import official_names
from harness.models.vit.audit import Audit, audit_as
from harness.models.vit.loading import load_as

ADAPTERS: dict[type, Any] = {
    Answerer: BlipAnswerer,
    AttributeMatcher: BlipAttributeMatcher,
    Captioner: BlipCaptioner,
    PairReasoner: BlipPairReasoner,
    PairScorer: BlipRetriever,
}


def load(weights: Weights, *, needs: type, device: str, dtype: str) -> Any:
    """Return the weights as a model with the capability `needs`.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all.
    """
    return load_as(
        "BLIP", ADAPTERS, official_names, weights, needs=needs, device=device, dtype=dtype
    )


def describe(path: Path) -> Audit:
    """Describe a weight file. Raises CheckpointError for one that is no checkpoint of BLIP."""
    return audit_as("BLIP", ADAPTERS, official_names, path)
