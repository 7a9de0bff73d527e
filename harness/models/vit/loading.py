"""Load weights by a family's adapters."""

from collections.abc import Mapping
from typing import Any

from harness.checkpoints import Weights
from harness.engine.device import choose_device
from harness.errors import CapabilityError
from harness.models.vit.checkpoint import Rename, read_checkpoint


def load_as(
    family: str,
    adapters: Mapping[type, Any],
    rename: Rename,
    weights: Weights,
    *,
    needs: type,
    device: str,
    dtype: str,
) -> Any:
    """Return the weights as the adapter for the capability `needs`.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all.
    """
    chosen = choose_device(device, dtype)
    if needs not in adapters:
        offered = ", ".join(capability.__name__ for capability in adapters)
        raise CapabilityError(f"{weights.name}: {family} offers {offered}, but no {needs.__name__}")
    checkpoint = read_checkpoint(
        weights.path,
        weights.configuration,
        rename=rename,
        resolution=weights.release.resolution if weights.release else None,
    )
    return adapters[needs](checkpoint, weights.vocabulary, chosen)
