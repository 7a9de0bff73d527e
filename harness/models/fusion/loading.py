"""Load weights by a family's adapters."""

from collections.abc import Callable, Mapping
from typing import Any

from harness.checkpoints import Weights
from harness.engine.device import choose_device
from harness.errors import CapabilityError, UsageError
from harness.models.fusion.settings import Settings

ANY_TASK = "resolution"  # the setting that all capabilities read


def load_as(
    family: str,
    adapters: Mapping[type, Any],
    read: Callable[[Weights, Settings], Any],
    weights: Weights,
    *,
    needs: type,
    device: str,
    dtype: str,
) -> Any:
    """Return the weights as the adapter for the capability `needs`; `read` reads the file.

    Raises CapabilityError where they lack it, CheckpointError where they cannot be used at all,
    UsageError for settings that make no sense.
    """
    chosen, settings = choose_device(device, dtype), Settings.of(weights.arguments)
    if needs not in adapters:
        offered = ", ".join(capability.__name__ for capability in adapters)
        raise CapabilityError(f"{weights.name}: {family} offers {offered}, but no {needs.__name__}")
    adapter = adapters[needs]
    for name in weights.arguments:
        if name not in (*adapter.reads, ANY_TASK):
            known = ", ".join(adapter.reads) or "no argument"
            raise UsageError(
                f"--model-args {name}: changes nothing of what {weights.name} does as "
                f"{needs.__name__}, which reads {known}; leave it out for this task"
            )
    return adapter(read(weights, settings), weights.vocabulary, chosen, settings)
