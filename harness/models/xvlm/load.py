"""Load X-VLM weights as the capability that a task needs."""

from typing import Any

from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    Grounder,
    Localizer,
    PairReasoner,
    PairScorer,
)
from harness.checkpoints import Weights
from harness.errors import CheckpointError
from harness.models.fusion.loading import load_as
from harness.models.fusion.settings import Settings
from harness.models.xvlm.adapters import (
    XVLMAnswerer,
    XVLMAttributeMatcher,
    XVLMCaptioner,
    XVLMGrounder,
    XVLMLocalizer,
    XVLMPairReasoner,
    XVLMRetriever,
)
from harness.models.xvlm.checkpoint import Checkpoint, read_checkpoint

ADAPTERS: dict[type, Any] = {
    Answerer: XVLMAnswerer,
    AttributeMatcher: XVLMAttributeMatcher,
    Captioner: XVLMCaptioner,
    Grounder: XVLMGrounder,
    Localizer: XVLMLocalizer,
    PairReasoner: XVLMPairReasoner,
    PairScorer: XVLMRetriever,
}


def load(weights: Weights, *, needs: type, device: str, dtype: str) -> Any:
    """Return the weights as a model with the capability `needs`.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all,
    UsageError for settings that make no sense.
    """
    return load_as("X-VLM", ADAPTERS, _read, weights, needs=needs, device=device, dtype=dtype)


def _read(weights: Weights, settings: Settings) -> Checkpoint:
    """Read the file; its windows fix the side of its images."""
    checkpoint = read_checkpoint(weights.path, weights.configuration)
    vision = checkpoint.architecture.vision
    expected = weights.release.resolution if weights.release else None
    if expected and vision and vision.resolution != expected:
        raise CheckpointError(
            f"{weights.path}: is a checkpoint of {vision.resolution} px, "
            f"checkpoints.yaml says {expected} px for {weights.name}"
        )
    return checkpoint
