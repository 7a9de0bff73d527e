"""Read weight files of any family without running anything that they hold."""

import argparse
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.errors import CheckpointError

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
