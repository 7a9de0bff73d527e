"""Prediction files: a line that identifies the run, then one line per sample, appended.

A run killed at any moment leaves a file that is right up to its last whole line; the same command
continues from there. The format is JSON lines: people can read them, and a line without a line
break is known to be torn.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError, HarnessError, IdentityError
from harness.files.atomic import replacing
from harness.files.kinds import EMPTY, read_bytes
from harness.files.lock import locked
from harness.files.parsing import may_hold_surrogates
from harness.files.validation_errors import describe_non_json
from harness.records.identity import describe_other_run
from harness.records.prediction_lines import (
    FORMAT,
    ParsedLines,
    parse_head,
    parse_predictions,
    sample_line,
    to_line,
    whole_lines,
)

SUFFIX = ".predictions.jsonl"


class PredictionFile:
    """The prediction file of one run, open for appending. Use `open_predictions`."""

    def __init__(
        self, path: Path, file: FileIO, content: ParsedLines, head: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.software: Mapping[str, Any] = head["software"]
        self.inputs: Mapping[str, Any] = head.get("inputs", {})
        self._head = head
        self._file = file
        self._predictions, self._fingerprints = content

    @property
    def done(self) -> Mapping[Any, Any]:
        """The predictions so far, by sample id."""
        return self._predictions

    @property
    def fingerprints(self) -> Mapping[Any, str]:
        """The fingerprints of inputs, by sample id; not of a sample without a readable image."""
        return self._fingerprints

    def append(
        self, predictions: Iterable[tuple[Any, Any]], inputs: Mapping[Any, str] | None = None
    ) -> None:
        """Write predictions (id, prediction) to the operating system: a kill cannot lose them.

        `inputs` maps ids to the fingerprints of their inputs. Raises HarnessError for a prediction
        that JSON lacks (NaN, infinity), and on a full disk.
        """
        new, inputs = dict(predictions), inputs or {}
        lines = [
            sample_line(self.path, id, prediction, inputs.get(id)) for id, prediction in new.items()
        ]
        _write(self._file, "".join(lines), self.path)
        self._predictions.update(new)
        self._fingerprints.update((id, inputs[id]) for id in new if id in inputs)

    def arrange(self, ids: Sequence[Any]) -> None:
        """Rewrite the file in the order of `ids`, atomically; afterwards it takes no more.

        The bytes of a finished file depend on neither the batches nor the ranks that made it.
        """
        if list(self._predictions) == list(ids):
            return
        self._predictions = {id: self._predictions[id] for id in ids}
        with replacing(self.path) as temporary, _open(temporary) as file:
            _write(file, to_line(self._head), temporary)
            for id, prediction in self._predictions.items():
                line = sample_line(self.path, id, prediction, self._fingerprints.get(id))
                _write(file, line, temporary)


@contextmanager
def open_predictions(
    path: Path,
    identity: Mapping[str, Any],
    *,
    software: Mapping[str, Any],
    inputs: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> Iterator[PredictionFile]:
    """Open a run's prediction file to continue or begin it; no other process can meanwhile.

    `software` and the fingerprint of the `inputs` are stored when the file is begun: they are
    provenance, not identity, and may differ between two sittings of one run. `fresh` discards
    earlier predictions. Raises IdentityError if the file belongs to another run (naming the
    differences) or another process is writing it, DataError if it is damaged.
    """
    lock = path.with_name(f".{path.name}.lock")
    busy = IdentityError(
        f"{path}: another process is writing this run; wait for it, or choose another --out"
    )
    with locked(lock, busy=busy, remedy="; choose another --out"), _open(path) as file:
        content = b"" if fresh else file.readall()
        lines, end = whole_lines(content, path)
        head = {
            "format": FORMAT,
            "identity": identity,
            "software": software,
            "inputs": inputs or {},
        }
        if lines:
            head = _check_header(lines[0], path, identity)
        content_lines = parse_predictions(lines[1:], path)
        # Only now is the file known to be ours: cut off the line that a kill tore.
        file.truncate(end)
        file.seek(end)
        if not lines:
            _write(file, to_line(head), path)
        del content, lines  # a hundred megabytes, which a run would hold to its end
        yield PredictionFile(path, file, content_lines, head)


class StoredPredictions(NamedTuple):
    """The content of a prediction file: the run's identity and inputs, the predictions by id.

    `fingerprints` are those of each sample's inputs, where they are known.
    """

    identity: Mapping[str, Any]
    inputs: Mapping[str, Any]
    predictions: Mapping[Any, Any]
    software: Mapping[str, Any] = {}
    fingerprints: Mapping[Any, str] = {}


def read_predictions(path: Path) -> StoredPredictions:
    """Read a prediction file of any run, finished or not, compressed by gzip or not.

    Raises DataError for a damaged file and for any other file.
    """
    lines, _ = whole_lines(read_prediction_bytes(path), path)
    if not lines:
        raise DataError(f"{path}: holds no predictions yet")
    head = parse_head(lines[0], path)
    predictions, fingerprints = parse_predictions(lines[1:], path)
    return StoredPredictions(
        head["identity"], head.get("inputs", {}), predictions, head["software"], fingerprints
    )


def read_prediction_bytes(path: Path) -> bytes:
    """Return the content of a prediction file, decompressed if it is gzip.

    Raises DataError where it cannot be read, and for half a surrogate pair, which is no text.
    """
    content = read_bytes(path, EMPTY.name)
    if may_hold_surrogates(content):
        for number, line in enumerate(content.split(b"\n"), start=1):
            with suppress(ValueError, RecursionError):
                if problem := describe_non_json(json.loads(line), f"{path}, line {number}"):
                    raise DataError(problem)
    return content


def _open(path: Path) -> FileIO:
    """Open a file for reading and writing, creating it; unbuffered, so each write is a system call.

    Raises HarnessError where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        return FileIO(os.open(path, flags, 0o666), "r+")
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); choose another --out"
        ) from error


def _write(file: FileIO, text: str, path: Path) -> None:
    """Write a whole text, in as many calls as it takes.

    A full disk tears the last line, which the next `open_predictions` cuts off.
    """
    remaining = memoryview(text.encode("utf-8", "surrogatepass"))
    try:
        while remaining:
            remaining = remaining[file.write(remaining) :]
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); "
            "earlier predictions are kept, run the same command to go on"
        ) from error


def _check_header(line: bytes, path: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the head of a file; raises IdentityError if its identity is another."""
    head = parse_head(line, path)
    current = json.loads(json.dumps(identity))  # as it would have been written: tuples as lists
    if head["identity"] != current:
        raise IdentityError(f"{path}: {describe_other_run(head['identity'], current)}")
    return head
