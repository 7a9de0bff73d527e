"""Whether a weight file is the one that is known: by checkpoints.yaml, or by the notebook of what was first used on this machine.

The authors published no hashes. So the first file that served under a name is noted in the user's cache, and another one under the same
name is refused: two records that name the same checkpoint were made with the same weights.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.checkpoints import Weights
from harness.errors import CheckpointError, DataError
from harness.files.atomic import write_json
from harness.files.parsing import read_json
from harness.files.paths import cache_folder
from harness.formats.folder import sha256_of


def verified_sha256(weights: Weights) -> str:
    """Return the SHA-256 of a weight file; raises CheckpointError if it is not the one known."""
    found = sha256_of(weights.path)
    if weights.release is None:
        return found
    listed, noted = weights.release.sha256, _noted().get(_key(weights))
    if listed and listed != found:
        raise CheckpointError(
            f"{weights.path}: sha256 is {found}, but {listed} according to checkpoints.yaml; "
            "get the file again, or use it under its own name with --checkpoint PATH"
        )
    if noted and not listed and noted != found:
        raise CheckpointError(
            f"{weights.path}: sha256 is {found}, but {noted} when {weights.name} was first used here. If the file from then was the wrong "
            f"one, delete the line {_key(weights)!r} from {_notebook()}; else get it again, or use this one with --checkpoint PATH"
        )
    return found


def pin_on_first_use(weights: Weights, sha256: str) -> None:
    """Note the hash of a file that has just been loaded, where none is known for its name.

    A cache that cannot be written is no reason not to evaluate: the hash is in the record anyway.
    """
    noted = _noted()
    if weights.release is None or weights.release.sha256 or _key(weights) in noted:
        return
    with suppress(OSError):
        write_json(_notebook(), dict(sorted({**noted, _key(weights): sha256}.items())))


def _notebook() -> Path:
    return cache_folder() / "checkpoints.json"


def _noted() -> Mapping[str, str]:
    """Return the hashes noted so far; a notebook that cannot be read counts as empty, since it can be made again."""
    try:
        content = read_json(_notebook())
    except DataError:
        return {}
    return content if isinstance(content, dict) else {}


def _key(weights: Weights) -> str:
    return f"{weights.name}/{weights.release.path}" if weights.release else weights.name
