"""Load X-VLM weights as the capability that a task needs."""

from typing import Any

from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    Grounder,
    Localizer,
    PairReasoner,
    Retriever,
)
from harness.checkpoints import Weights
from harness.engine.device import choose_device
from harness.errors import CapabilityError, CheckpointError
from harness.models.xvlm.answerer import XVLMAnswerer
from harness.models.xvlm.captioner import XVLMCaptioner
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.grounder import XVLMGrounder
from harness.models.xvlm.localizer import XVLMLocalizer
from harness.models.xvlm.matcher import XVLMAttributeMatcher
from harness.models.xvlm.reasoner import XVLMPairReasoner
from harness.models.xvlm.retriever import XVLMRetriever

ADAPTERS: dict[type, Any] = {
    Answerer: XVLMAnswerer,
    AttributeMatcher: XVLMAttributeMatcher,
    Captioner: XVLMCaptioner,
    Grounder: XVLMGrounder,
    Localizer: XVLMLocalizer,
    PairReasoner: XVLMPairReasoner,
    Retriever: XVLMRetriever,
}


def load(weights: Weights, *, needs: type, device: str, dtype: str) -> Any:
    """Return the weights as a model with the capability `needs`.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all.
    """
    chosen = choose_device(device, dtype)
    if needs not in ADAPTERS:
        offered = ", ".join(capability.__name__ for capability in ADAPTERS)
        raise CapabilityError(f"{weights.name}: X-VLM offers {offered}, but no {needs.__name__}")
    checkpoint = read_checkpoint(weights.path, weights.configuration)
    vision = checkpoint.architecture.vision
    expected = weights.release.resolution if weights.release else None
    if expected and vision and vision.resolution != expected:
        raise CheckpointError(
            f"{weights.path}: is a checkpoint of {vision.resolution} px, "
            f"checkpoints.yaml says {expected} px for {weights.name}"
        )
    return ADAPTERS[needs](checkpoint, weights.vocabulary, chosen)
