"""Read the content of one weight file without running anything that it holds."""

import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import CheckpointError, DataError, first_line
from harness.files import kinds
from harness.models import inert_pickle

ZIP_SIGNATURE = b"PK\x03\x04"


def read_file(path: Path) -> Any:
    """Return what a file holds: of `.safetensors` its tensors, of any other what torch saved.

    Of the latter, tensors and plain containers are built; all else is an `Inert`. Raises
    CheckpointError for a file that is missing, broken or unsafe, or of another kind than its name
    says.
    """
    by_name = path.suffix == ".safetensors"
    _check_kind(path, ("safetensors",) if by_name else ("zip", "pickle"))
    return _read_safetensors(path) if by_name else _read_torch(path)


def _check_kind(path: Path, expected: tuple[str, ...]) -> None:
    """Raise CheckpointError for a file whose first bytes are those of another kind."""
    if not path.exists():
        raise CheckpointError(f"{path}: no such file")
    try:
        other = kinds.describe_other_kind(path, *expected)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    if other and "is a safetensors file" in other:
        raise CheckpointError(f"{other}: rename it to {path.stem}.safetensors")
    if other:
        by_name = "; its name says that it is a safetensors file" if "zip" not in expected else ""
        raise CheckpointError(f"{other}{by_name}")


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
    """Read a file of `torch.save` by an unpickler that calls nothing else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of other tools' pickles; we refuse them
            # `weights_only=False` lets the unpickler be replaced, by one that calls less. A mapped
            # file costs no memory for what is not needed, such as the state of an optimizer.
            return torch.load(
                path,
                map_location="cpu",
                weights_only=False,
                pickle_module=inert_pickle,
                mmap=_can_be_mapped(path),
            )
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_unsafe(error)}") from error
    except CheckpointError:
        raise
    except Exception as error:  # a broken archive can raise almost anything
        raise CheckpointError(
            f"{path}: is not a readable checkpoint ({type(error).__name__}: {first_line(error)})"
        ) from error


def _can_be_mapped(path: Path) -> bool:
    """Return whether a file is an archive that holds every tensor as it is in memory.

    Raises CheckpointError for archives that torch would not read by the unpickler it is given:
    TorchScript's hold a network's code; tar archives, of torch before 0.1.10, are extracted.
    """
    with path.open("rb") as file:
        is_zip = file.read(4) == ZIP_SIGNATURE
    if not is_zip:
        if tarfile.is_tarfile(path):
            raise CheckpointError(f"{path}: is a tar archive: unpack it")
        return False
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename.lower().endswith("constants.pkl") for entry in entries):
        raise CheckpointError(
            f"{path}: is a program of TorchScript, whose code would have to be run; "
            "save the state_dict() of its network instead"
        )
    return all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)


def _unsafe(error: pickle.UnpicklingError) -> str:
    """Return a sentence about a pickle that names what only serves to run something."""
    if str(error).startswith("calls "):
        return (
            f"would run code when opened ({error}), which no checkpoint needs; nothing was run. "
            "Do not trust this file"
        )
    return f"is not a readable checkpoint ({type(error).__name__}: {first_line(error)})"
