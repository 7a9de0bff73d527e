"""The weights in a folder as transformers lays it out: one file, or shards and their index."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from harness.errors import CheckpointError
from harness.files.parsing import read_json
from harness.models.weights import read_tensors

FILES = ("model.safetensors", "pytorch_model.bin")  # the first that exists counts
INDEX = ".index.json"


def read_weights_of(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a weight file, of the index of shards, or of a folder with either.

    Raises CheckpointError for a folder without weights, for a shard that is missing or lies
    elsewhere, and for what `read_tensors` refuses.
    """
    if path.is_dir():
        path = _file_in(path)
    if not path.name.endswith(INDEX):
        return read_tensors(path)
    tensors: dict[str, Tensor] = {}
    for shard in _shards(path):
        tensors.update(read_tensors(shard))
    return tensors


def _file_in(folder: Path) -> Path:
    candidates = [folder / (name + ending) for name in FILES for ending in ("", INDEX)]
    if found := next((path for path in candidates if path.is_file()), None):
        return found
    raise CheckpointError(
        f"{folder}: holds no {' or '.join(FILES)}, whole or in shards; name the weight file itself"
    )


def _shards(index: Path) -> Iterator[Path]:
    content = read_json(index)
    shard_of = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise CheckpointError(f"{index}: is no index of shards: it has no weight_map")
    for name in sorted(set(map(str, shard_of.values()))):
        if Path(name).name != name:
            raise CheckpointError(f"{index}: names the shard {name}, which is not beside it")
        if not (index.parent / name).is_file():
            raise CheckpointError(f"{index.parent / name}: missing a shard that {index.name} names")
        yield index.parent / name
