"""Fill networks with the tensors of a file, strictly: nothing missing, nothing left over.

with unfilled():
    network = GroundingNetwork(architecture)     # sizes only: no memory, no random numbers
fill(network, tensors, path=path)                # one copy of the file's numbers
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from harness.engine.memory import release_mapped_pages
from harness.errors import CheckpointError

SHOWN = 5  # names listed in a message; further ones are counted
RELEASED_AT_ONCE = 32 * 2**20  # bytes of a mapped file that are copied before its pages go
# What torch's layers make parameters by, and what they draw their first numbers by.
CONSTRUCTORS = (torch.empty, torch.zeros)
INITIALISERS = {
    *(getattr(nn.init, name) for name in dir(nn.init) if name.endswith("_") and name[0] != "_"),
    *(Tensor.fill_, Tensor.zero_, Tensor.normal_, Tensor.uniform_),
}


class unfilled(TorchFunctionMode):
    """Build networks without numbers in a block: neither memory nor random draws; `fill` follows.

    Parameters are made on torch's device `meta`. What follows from the sizes, and is in no file,
    is made by other functions, or names its device.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        arguments: tuple[Any, ...] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(options or {})
        if function in INITIALISERS:
            return arguments[0] if arguments else given["tensor"]
        if function in CONSTRUCTORS and given.get("device") is None:
            given["device"] = "meta"
        return function(*arguments, **given)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, path: Path) -> None:
    """Give a network copies of tensors, in float32, as the parameters of the same names.

    Tied parameters stay tied. The network shares no memory with the file. Raises CheckpointError
    for tensors that are missing, left over, of another shape or not finite.
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
    if broken := _assign(network, tensors, path):
        raise CheckpointError(
            f"{path}: {list_names(sorted(broken))} hold numbers that are not finite; "
            "the file is damaged or the training diverged"
        )


def _assign(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> list[str]:
    """Replace every parameter by a copy of its tensor; return those that are not finite.

    Where several names are of one parameter, as of tied embeddings, the last of them counts.
    """
    names_of: dict[int, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        names_of.setdefault(id(parameter), []).append(name)
    modules = dict(network.named_modules(remove_duplicate=False))
    broken: list[str] = []
    copied = 0
    for names in names_of.values():
        broken += [name for name in names if not _is_finite(tensors[name])]
        numbers = tensors[names[-1]].to(torch.float32, copy=True)
        parameter = nn.Parameter(numbers, requires_grad=False)
        for name in names:
            module, _, attribute = name.rpartition(".")
            setattr(modules[module], attribute, parameter)
        copied += numbers.nbytes
        if copied > RELEASED_AT_ONCE:
            release_mapped_pages(path)
            copied = 0
    release_mapped_pages(path)
    return broken


def _is_finite(tensor: Tensor) -> bool:
    """Return whether all numbers are finite: their minimum and maximum are then, too."""
    return not tensor.numel() or all(math.isfinite(bound.item()) for bound in tensor.aminmax())


def list_names(names: list[str]) -> str:
    """Return the first SHOWN names, and how many more there are."""
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
