"""Prediction files: one line that says which run this is, then one line per sample, appended as they are made.

A run killed at any moment leaves a file that is right up to its last whole line; started again, it goes on from there. JSON lines, because
a person can read them and a torn line can be told from a whole one by its line break.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import DataError, HarnessError, IdentityError

FORMAT = "xvlm-eval predictions 1"
HEAD = b'{"format":"xvlm-eval predictions'  # how every version of such a file begins


class PredictionFile:
    """The predictions of one run, open for appending. Use `open_predictions`."""

    def __init__(self, path: Path, file: BinaryIO, predictions: dict[Any, Any], software: Mapping[str, Any]) -> None:
        self.path = path
        self.software = software
        self._file = file
        self._predictions = predictions

    @property
    def done(self) -> Mapping[Any, Any]:
        """The prediction of every sample so far, by id."""
        return self._predictions

    def append(self, predictions: Iterable[tuple[Any, Any]]) -> None:
        """Write predictions (id, prediction) and hand them to the operating system: from here on a kill cannot lose them."""
        new = dict(predictions)
        lines = "".join(_line({"id": id, "prediction": prediction}) for id, prediction in new.items())
        try:
            self._file.write(lines.encode())
            self._file.flush()
        except OSError as error:
            raise HarnessError(
                f"{self.path}: cannot be written ({error.strerror}); what was predicted before is kept, run the same command to go on"
            ) from error
        self._predictions.update(new)


@contextmanager
def open_predictions(
    path: Path, identity: Mapping[str, Any], *, software: Mapping[str, Any], fresh: bool = False
) -> Iterator[PredictionFile]:
    """Open the prediction file of a run to go on with it, or begin it.

    `software` is noted when the file is begun: it tells with what, not whose predictions these are. `fresh` discards what is there. Raises
    IdentityError for the file of another run (naming what differs) and for one that another process is writing, DataError for a file that
    is damaged.
    """
    with _opened(path) as file:
        _lock(file, path)
        if fresh:
            file.truncate(0)
        lines, end = _whole_lines(file, path)
        if lines:
            software = _head(lines[0], path, identity)
        predictions = _predictions(lines[1:], path)
        # Only now is it certain that this is our file: mend it where a kill tore it.
        file.truncate(end)
        file.seek(end)
        if not lines:
            file.write(_line({"format": FORMAT, "identity": identity, "software": software}).encode())
            file.flush()
        yield PredictionFile(path, file, predictions, software)
        os.fsync(file.fileno())


def read_predictions(path: Path) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Return the identity and the predictions by id of a finished or unfinished run. Raises DataError for a damaged file."""
    with path.open("rb") as file:
        lines, _ = _whole_lines(file, path)
    if not lines:
        raise DataError(f"{path}: is empty")
    return _parsed_head(lines[0], path)["identity"], _predictions(lines[1:], path)


def difference(identity: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say in what two runs differ: `dtype: float32 / float16, ...`."""
    first, second = dict(_flat(identity)), dict(_flat(other))
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    return ", ".join(f"{name}: {_short(first.get(name))} / {_short(second.get(name))}" for name in names)


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("r+b" if path.exists() else "w+b")
    except OSError as error:
        raise HarnessError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error


def _whole_lines(file: BinaryIO, path: Path) -> tuple[list[bytes], int]:
    """Return the lines that end in a line break, and where the last of them ends: what follows was torn by a kill."""
    content = file.read()
    end = content.rfind(b"\n") + 1
    if not end and not content.startswith(HEAD[: len(content)]):
        raise DataError(f"{path}: is no prediction file; move it away, or replace it with --fresh")
    return content[:end].splitlines(), end


def _head(line: bytes, path: Path, identity: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the software that a file was begun with; raises IdentityError if its run is not the one of `identity`."""
    head = _parsed_head(line, path)
    now = json.loads(json.dumps(identity))  # as it would have been written: tuples are lists there
    if head["identity"] != now:
        raise IdentityError(
            f"{path}: belongs to another run (there / now: {difference(head['identity'], now)}); "
            "choose another --out, or replace it with --fresh"
        )
    software: Mapping[str, Any] = head["software"]
    return software


def _parsed_head(line: bytes, path: Path) -> dict[str, Any]:
    try:
        head = json.loads(line)
        if head["format"] != FORMAT or not isinstance(head["identity"], dict) or not isinstance(head["software"], dict):
            raise ValueError("another format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: line 1 is not the head of a prediction file; move the file away or replace it with --fresh") from error
    return dict(head)


def _predictions(lines: Sequence[bytes], path: Path) -> dict[Any, Any]:
    predictions = {}
    for number, line in enumerate(lines, start=2):
        try:
            entry = json.loads(line)
            predictions[entry["id"]] = entry["prediction"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path}: line {number} is no prediction; the file was damaged: replace it with --fresh") from error
    return predictions


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep a second process from writing the same file; the lock ends with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise IdentityError(f"{path}: another process is writing this run; wait for it, or choose another --out") from error


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
