"""Prediction files: one line that says which run this is, then one line per sample, appended as they are made.

A run killed at any moment leaves a file that is right up to its last whole line; started again, it goes on from there. JSON lines, because
a person can read them and a torn line can be told from a whole one by its line break.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError, HarnessError, IdentityError
from harness.files.atomic import replacing
from harness.files.lock import locked

FORMAT = "xvlm-eval predictions 1"
SUFFIX = ".predictions.jsonl"
HEAD = b'{"format":"xvlm-eval predictions'  # how every version of such a file begins


class PredictionFile:
    """The predictions of one run, open for appending. Use `open_predictions`."""

    def __init__(
        self, path: Path, file: FileIO, predictions: dict[Any, Any], head: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.software: Mapping[str, Any] = head["software"]
        self.inputs: Mapping[str, Any] = head.get("inputs", {})
        self._head = head
        self._file = file
        self._predictions = predictions

    @property
    def done(self) -> Mapping[Any, Any]:
        """The prediction of every sample so far, by id."""
        return self._predictions

    def append(self, predictions: Iterable[tuple[Any, Any]]) -> None:
        """Write predictions (id, prediction) and hand them to the operating system: from here on a kill cannot lose them.

        Raises HarnessError for a prediction that is no JSON (NaN is none), and where the disk takes no more.
        """
        new = dict(predictions)
        _write(
            self._file,
            "".join(_entry(self.path, id, prediction) for id, prediction in new.items()),
            self.path,
        )
        self._predictions.update(new)

    def arrange(self, ids: Sequence[Any]) -> None:
        """Put the predictions into the order of `ids`, all at once: a finished file does not tell who predicted what when.

        Nothing can be appended afterwards.
        """
        if list(self._predictions) == list(ids):
            return
        self._predictions = {id: self._predictions[id] for id in ids}
        with replacing(self.path) as temporary, _opened(temporary) as file:
            _write(file, _line(self._head), temporary)
            for id, prediction in self._predictions.items():
                _write(file, _entry(self.path, id, prediction), temporary)


@contextmanager
def open_predictions(
    path: Path,
    identity: Mapping[str, Any],
    *,
    software: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> Iterator[PredictionFile]:
    """Open the prediction file of a run to go on with it, or begin it; no other process can while it is open.

    `software` and the fingerprint of the `inputs` are noted when the file is begun: they tell with what and of what, not whose predictions
    these are. `fresh` discards what is there. Raises IdentityError for the file of another run (naming what differs) and for one that
    another process is writing, DataError for a file that is damaged.
    """
    lock = path.with_name(f".{path.name}.lock")
    busy = IdentityError(
        f"{path}: another process is writing this run; wait for it, or choose another --out"
    )
    with locked(lock, busy=busy, remedy="; choose another --out"), _opened(path) as file:
        content = b"" if fresh else file.readall()
        lines, end = _whole_lines(content, path)
        head = {
            "format": FORMAT,
            "identity": identity,
            "software": software,
            "inputs": inputs or {},
        }
        if lines:
            head = _own_head(lines[0], path, identity)
        predictions = _predictions(lines[1:], path)
        # Only now is it certain that this is our file: mend it where a kill tore it.
        file.truncate(end)
        file.seek(end)
        if not lines:
            _write(file, _line(head), path)
        yield PredictionFile(path, file, predictions, head)


class Stored(NamedTuple):
    """What a prediction file holds: whose predictions, the fingerprint of their inputs, and each by the id of its sample."""

    identity: Mapping[str, Any]
    inputs: Mapping[str, Any]
    predictions: Mapping[Any, Any]


def stored_predictions(path: Path) -> Stored:
    """Read the prediction file of any run, finished or not, also one compressed by gzip (`.gz`).

    Raises DataError for a file that is damaged or none.
    """
    content = stored_bytes(path)
    lines, _ = _whole_lines(content, path)
    if not lines:
        raise DataError(f"{path}: holds no predictions yet")
    head = _head(lines[0], path)
    return Stored(head["identity"], head.get("inputs", {}), _predictions(lines[1:], path))


def stored_bytes(path: Path) -> bytes:
    """Return the content of a prediction file, decompressed where its name ends in `.gz`. Raises DataError where it cannot be read."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: is damaged ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def difference(identity: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say in what two runs differ: `dtype: float32 / float16, ...`."""
    first, second = dict(_flat(identity)), dict(_flat(other))
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    return ", ".join(
        f"{name}: {_short(first.get(name))} / {_short(second.get(name))}" for name in names
    )


def _opened(path: Path) -> FileIO:
    """Open a file for reading and writing, making it where there is none. Unbuffered: what is written is with the operating system."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileIO(
            os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666), "r+"
        )
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); choose another --out"
        ) from error


def _write(file: FileIO, text: str, path: Path) -> None:
    """Write all of a text, however little the system takes at a time. What a full disk cuts off is mended when the file is next opened."""
    left = memoryview(text.encode("utf-8", "surrogatepass"))
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); what was predicted before is kept, run the same command to go on"
        ) from error


def _whole_lines(content: bytes, path: Path) -> tuple[list[bytes], int]:
    """Return the lines that end in a line break, and where the last of them ends: what follows was torn by a kill."""
    end = content.rfind(b"\n") + 1
    if not end and not content.startswith(HEAD[: len(content)]):
        raise DataError(f"{path}: is no prediction file; move it away, or replace it with --fresh")
    return content[:end].split(b"\n")[:-1], end


def _own_head(line: bytes, path: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the head of a file; raises IdentityError if its run is not the one of `identity`."""
    head = _head(line, path)
    now = json.loads(json.dumps(identity))  # as it would have been written: tuples are lists there
    if head["identity"] != now:
        raise IdentityError(
            f"{path}: belongs to another run (there / now: {difference(head['identity'], now)}); "
            "choose another --out, or replace it with --fresh"
        )
    return head


def _head(line: bytes, path: Path) -> dict[str, Any]:
    try:
        head = json.loads(line)
        parts = [head["identity"], head["software"], head.get("inputs", {})]
        if head["format"] != FORMAT or not all(isinstance(part, dict) for part in parts):
            raise ValueError("another format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: line 1 is not the head of a prediction file; move the file away or replace it with --fresh"
        ) from error
    return dict(head)


def _predictions(lines: Sequence[bytes], path: Path) -> dict[Any, Any]:
    predictions: dict[Any, Any] = {}
    for number, line in enumerate(lines, start=2):
        try:
            entry = json.loads(line)
            id, prediction = entry["id"], entry["prediction"]
            if type(id) not in (int, str) or id in predictions:
                raise ValueError("no id, or one that was there before")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{path}: line {number} is no prediction; the file was damaged: replace it with --fresh"
            ) from error
        predictions[id] = prediction
    return predictions


def _entry(path: Path, id: Any, prediction: Any) -> str:
    try:
        return _line({"id": id, "prediction": prediction})
    except ValueError as error:
        raise HarnessError(
            f"{path}: the prediction of sample {id!r} holds a number that is not finite; is --dtype precise enough for this model?"
        ) from error


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
