"""Fill networks with the tensors of a file, strictly: nothing missing, nothing left over."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.errors import CheckpointError

SHOWN = 5  # names listed in a message; further ones are counted


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, path: Path) -> None:
    """Copy tensors into the parameters of the same names.

    Raises CheckpointError for tensors that are missing, left over, of another shape or not finite.
    """
    wanted = {name: tuple(parameter.shape) for name, parameter in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    complaints = []
    if missing := sorted(wanted.keys() - given.keys()):
        complaints.append(f"lacks {list_names(missing)}, so the model would be partly random")
    if unexpected := sorted(given.keys() - wanted.keys()):
        complaints.append(f"holds {list_names(unexpected)}, which this model has no place for")
    if shapes := [
        f"{name} is {given[name]} instead of {wanted[name]}"
        for name in sorted(wanted.keys() & given.keys())
        if given[name] != wanted[name]
    ]:
        complaints.append(
            "has tensors whose shapes contradict the architecture inferred from its first layers: "
            f"{list_names(shapes)}"
        )
    if complaints:
        raise CheckpointError(f"{path}: {'; it '.join(complaints)}")
    if quantised := sorted(name for name in tensors if not tensors[name].is_floating_point()):
        dtype = str(tensors[quantised[0]].dtype).removeprefix("torch.")
        raise CheckpointError(
            f"{path}: holds weights as {dtype} ({list_names(quantised)}): the scales of quantised "
            "weights are not known; save them in float32, float16 or bfloat16"
        )
    broken = sorted(
        name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())
    )
    if broken:
        raise CheckpointError(
            f"{path}: {list_names(broken)} hold numbers that are not finite; "
            "the file is damaged or the training diverged"
        )
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=True)


def list_names(names: list[str]) -> str:
    """Return the first SHOWN names, and how many more there are."""
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
