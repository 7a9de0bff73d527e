"""Whether a weight file is the known one: by checkpoints.yaml, or by its first use here.

The authors published no hashes. So the SHA-256 of the first file used under a name is pinned in
the user's cache, and another file under the same name is refused: two records that name the same
checkpoint were made with the same weights.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.checkpoints import Weights
from harness.errors import CheckpointError, DataError, UsageError
from harness.files.atomic import write_json
from harness.files.parsing import read_json
from harness.files.paths import cache_folder
from harness.formats.folder import sha256_of
from harness.registry import find_family

INDEX = ".index.json"  # of a model in shards, as transformers writes it


def verified_sha256(weights: Weights) -> str:
    """Return the SHA-256 of weights. Raises CheckpointError where another one is known.

    The hash of a folder covers all its files: shards, configuration and tokenizer.
    """
    actual = sha256_of(hashed_path(weights))
    if weights.release is None:
        return actual
    listed, pinned = weights.release.sha256, _pins().get(_key(weights))
    if listed and listed != actual:
        raise CheckpointError(
            f"{weights.path}: sha256 is {actual}, but {listed} according to checkpoints.yaml; "
            "get the file again, or use it under its own name with --checkpoint PATH"
        )
    if pinned and not listed and pinned != actual:
        raise CheckpointError(
            f"{weights.path}: sha256 is {actual}, but {pinned} when {weights.name} was first used "
            f"here. If that first file was the wrong one, delete the line {_key(weights)!r} from "
            f"{_pins_path()}; else get it again, or use this one with --checkpoint PATH"
        )
    return actual


def pin_on_first_use(weights: Weights, sha256: str) -> None:
    """Pin the hash of a file that has just been loaded, where none is known for its name.

    A cache that cannot be written does not stop a run: the hash is in the record anyway.
    """
    pins = _pins()
    if weights.release is None or weights.release.sha256 or _key(weights) in pins:
        return
    with suppress(OSError):
        write_json(_pins_path(), dict(sorted({**pins, _key(weights): sha256}.items())))


def hashed_path(weights: Weights) -> Path:
    """Return the file that is hashed, or its folder where the file stands for all files there.

    A hash in checkpoints.yaml is that of the file itself.
    """
    path, in_folder = weights.path, weights.path.name.endswith(INDEX)
    if weights.release is None or not weights.release.sha256:
        in_folder |= _is_kept_in_folders(weights.family)
    return path.parent if in_folder and path.is_file() else path


def _is_kept_in_folders(family: str) -> bool:
    """Whether the weights of a family are folders; that of a user's object is not registered."""
    try:
        return find_family(family).folder
    except UsageError:
        return False


def _pins_path() -> Path:
    return cache_folder() / "checkpoints.json"


def _pins() -> Mapping[str, str]:
    """Return the pinned hashes; an unreadable file counts as empty, as it can be made again."""
    try:
        content = read_json(_pins_path())
    except DataError:
        return {}
    return content if isinstance(content, dict) else {}


def _key(weights: Weights) -> str:
    return f"{weights.name}/{weights.release.path}" if weights.release else weights.name
