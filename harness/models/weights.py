"""Read weight files of any family without running anything that they hold, and fill networks."""

import argparse
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.errors import CheckpointError

SHOWN = 5  # names listed in a message; further ones are counted
DTYPES = (
    torch.float32, torch.float16, torch.bfloat16, torch.float64,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
)  # fmt: skip


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name: those under the key `model`, or of the file itself.

    Reads `.safetensors`, and any other file as one of `torch.save`. Raises CheckpointError for a
    file that is missing, broken or unsafe, or holds no tensors.
    """
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path}: is not a file")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise CheckpointError(f"{path}: holds a {kind}, not a dictionary of tensors")
    state = {
        name: tensor
        for name, tensor in content.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }
    if not state:
        raise CheckpointError(f"{path}: holds no tensors; is it a checkpoint?")
    for name, tensor in state.items():
        if fault := _fault(tensor):
            raise CheckpointError(
                f"{path}: the tensor {name} {fault}; the file is damaged, or no model checkpoint"
            )
    return state


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
    broken = sorted(
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
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


def _fault(tensor: Tensor) -> str | None:
    """Return what is wrong with a tensor: a file of a kilobyte can describe one of a terabyte."""
    if tensor.dtype not in DTYPES:
        return f"has the unexpected type {tensor.dtype}"
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return f"is not stored as plain numbers ({tensor.layout}, {tensor.device.type})"
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return f"of shape {tuple(tensor.shape)} stores fewer numbers than that"
    return None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: is not a readable safetensors file ({error})") from error


def _read_torch(path: Path) -> Any:
    """Read a file of `torch.save`; only tensors and the plain types named here are built."""
    try:
        with torch.serialization.safe_globals(_harmless()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of other tools' pickles; we refuse them
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_unsafe(error)}") from error
    except Exception as error:  # a broken archive can raise almost anything
        raise CheckpointError(
            f"{path}: is not a readable checkpoint ({_first_line(error)})"
        ) from error


def _harmless() -> list[Any]:
    """Return the types in authors' checkpoints beside tensors: command lines and NumPy numbers.

    Building them runs no code.
    """
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool")]
    return [argparse.Namespace, scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *dtypes]


def _unsafe(error: pickle.UnpicklingError) -> str:
    """Return torch's ten sentences in one: the name that the file would call."""
    for line in str(error).splitlines():
        if "global" in line.lower() or "unsupported" in line.lower():
            return (
                "would run code when opened, and was not opened "
                f"({line.strip()[:200]}). Do not trust this file"
            )
    return f"is not a readable checkpoint ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no reason given'])[0][:200]}"
