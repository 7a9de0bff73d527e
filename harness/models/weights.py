"""Read weight files of any family without running anything that they hold."""

import pickle
import re
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.checkpoints.weights import IN_FOLDERS, SUFFIXES
from harness.errors import CheckpointError, DataError, first_line
from harness.files import kinds
from harness.files.parsing import read_json
from harness.models import inert_pickle
from harness.models.inert_pickle import Inert

DTYPES = (
    torch.float32, torch.float16, torch.bfloat16, torch.float64,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
)  # fmt: skip


ZIP_SIGNATURE = b"PK\x03\x04"
WRAPPERS = ("model", "state_dict", "model_state_dict")  # keys of the tensors in a dictionary
# What DistributedDataParallel, Lightning and torch.compile put before or into names of tensors.
WRAPPING, COMPILED = ("module.", "model."), "_orig_mod."
INDEX = "{}.index.json"  # of a file that is split into several
SHARD = re.compile(r"-\d{5}-of-\d{5}\.")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name: those under one of the WRAPPERS, or of the file itself.

    Reads `.safetensors`, and any other file as one of `torch.save`; of a folder, or by the index of
    shards, the files that transformers writes. Names lose the prefixes of DistributedDataParallel,
    Lightning and torch.compile. Raises CheckpointError for a file that is missing, broken or
    unsafe, of another kind than its name says, or without tensors.
    """
    if path.is_dir():
        return _without_prefixes(_of_folder(path), path)
    if path.name.endswith(INDEX.format("")):
        return _without_prefixes(_of_shards(path.parent, path), path)
    if SHARD.search(path.name):
        raise CheckpointError(
            f"{path}: is one of several files that the weights are split into; name their folder, "
            f"{path.parent}"
        )
    return _without_prefixes(_of_file(path), path)


def _of_folder(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of the weights in a folder in the layout of transformers."""
    for name in IN_FOLDERS:
        if (path := folder / name).is_file():
            return _of_file(path)
        if (index := folder / INDEX.format(name)).is_file():
            return _of_shards(folder, index)
    names = " or ".join(IN_FOLDERS)
    others = sorted(path.name for path in folder.glob("*") if path.suffix in SUFFIXES)
    hint = f"; name the file itself, e.g. {folder / others[0]}" if others else ""
    raise CheckpointError(f"{folder}: holds no {names}, whole or with its index{hint}")


def _of_shards(folder: Path, index: Path) -> dict[str, Tensor]:
    """Return the tensors of the files that an index names, each of which has to be there."""
    content = read_json(index)
    files = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(name, str) and Path(name).name == name for name in files.values()
    ):
        raise CheckpointError(f"{index}: has no weight_map from tensors to files beside it")
    state: dict[str, Tensor] = {}
    for name in sorted(set(files.values())):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name}: missing a shard that {index.name} names")
        state |= _of_file(folder / name)
    if absent := sorted(files.keys() - state.keys()):
        raise CheckpointError(f"{index}: names {absent[0]}, which {files[absent[0]]} lacks")
    return state


def _of_file(path: Path) -> dict[str, Tensor]:
    by_name = path.suffix == ".safetensors"
    _check_kind(path, ("safetensors",) if by_name else ("zip", "pickle"))
    content = _read_safetensors(path) if by_name else _read_torch(path)
    key, content = _unwrapped(content)
    where = f"{path}: {key!r}" if key else f"{path}:"
    if isinstance(content, Inert):
        raise CheckpointError(
            f"{where} holds an object of the class {content.kind}, whose code would have to be "
            "run; save its state_dict() instead"
        )
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise CheckpointError(f"{where} holds a {kind}, not a dictionary of tensors")
    state = {
        name: tensor
        for name, tensor in content.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }
    for name, value in content.items():
        if isinstance(value, Inert) and _is_tensor(value):
            raise CheckpointError(
                f"{path}: the tensor {name} is not stored as plain numbers ({value.kind}: of 8-bit "
                "floats, quantised, sparse or without storage); save it dense, as float32"
            )
    if not state:
        inner = [name for name, value in content.items() if _holds_tensors(value)]
        if inner:
            raise CheckpointError(
                f"{where} holds no tensors, but its {inner[0]!r:.40} does: save that one alone"
            )
        raise CheckpointError(f"{where} holds no tensors; is it a checkpoint?{_keys(content)}")
    for name, tensor in state.items():
        if fault := _fault(tensor):
            raise CheckpointError(
                f"{path}: the tensor {name} {fault}; the file is damaged, or no model checkpoint"
            )
    return state


def _is_tensor(value: Inert) -> bool:
    """Return whether an object would be a tensor, of a kind that is not built."""
    return value.kind.module.startswith("torch.") and value.kind.name.startswith("_rebuild")


def _holds_tensors(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(item, Tensor) for item in value.values())


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


def _unwrapped(content: Any) -> tuple[str, Any]:
    """Return the keys of the WRAPPERS around the tensors, and what lies inside them.

    A file may hold a dictionary that contains itself: none of them is entered twice.
    """
    keys: list[str] = []
    entered: set[int] = set()
    while isinstance(content, Mapping) and id(content) not in entered:
        entered.add(id(content))
        key = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping | Inert)), None)
        if key is None:
            break
        keys.append(key)
        content = content[key]
    return ".".join(keys), content


def _keys(content: Mapping[Any, Any]) -> str:
    names = [str(key)[:40] for key in content][:8]
    return f" (its keys are {', '.join(names)})" if names else ""


def _without_prefixes(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return tensors by the names that the network itself gives them.

    `module.` and `model.` are removed where all names begin with it, `_orig_mod.` wherever it
    stands.
    """
    names = {name: name.replace(COMPILED, "") for name in state}
    while prefix := next(
        (w for w in WRAPPING if all(name.startswith(w) for name in names.values())), None
    ):
        names = {old: name.removeprefix(prefix) for old, name in names.items()}
    if len(set(names.values())) < len(names):
        differing = " or ".join((*WRAPPING, COMPILED))
        raise CheckpointError(f"{path}: holds tensors that differ only by {differing}")
    return {name: state[old] for old, name in names.items()}


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
    """Read a file of `torch.save`: tensors and plain containers are built, all else is inert."""
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
