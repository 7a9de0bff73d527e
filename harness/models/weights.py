"""The tensors of weight files of any family, by the names that the network itself gives them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.checkpoints.weights import IN_FOLDERS, SUFFIXES
from harness.errors import CheckpointError
from harness.files.parsing import read_json
from harness.models.inert_pickle import Inert
from harness.models.weight_files import read_file

DTYPES = (
    torch.float32, torch.float16, torch.bfloat16, torch.float64,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
)  # fmt: skip
WRAPPERS = ("model", "state_dict", "model_state_dict")  # keys of the tensors in a dictionary
# What DistributedDataParallel, Lightning and torch.compile put before or into names of tensors.
WRAPPING, COMPILED = ("module.", "model."), "_orig_mod."
INDEX = "{}.index.json"  # of a file that is split into several
SHARD = re.compile(r"-\d{5}-of-\d{5}\.")
REMEDY = "save it dense, in float32, float16 or bfloat16"


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
    key, content = _unwrapped(read_file(path))
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
                f"floats, quantised, sparse or without storage); {REMEDY}"
            )
    if not state:
        inner = [name for name, value in content.items() if _holds_tensors(value)]
        if inner:
            raise CheckpointError(
                f"{where} holds no tensors, but its {inner[0]!r:.40} does: save that one alone"
            )
        raise CheckpointError(f"{where} holds no tensors; is it a checkpoint?{_keys(content)}")
    for name, tensor in state.items():
        if tensor.dtype not in DTYPES:
            raise CheckpointError(
                f"{path}: the tensor {name} has the type {tensor.dtype}, in which no weights are "
                f"read; {REMEDY}"
            )
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
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return f"is not stored as plain numbers ({tensor.layout}, {tensor.device.type})"
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return f"of shape {tuple(tensor.shape)} stores fewer numbers than that"
    return None
