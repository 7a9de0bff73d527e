"""Prediction files: a line that identifies the run, then one line per sample, appended.

A run killed at any moment leaves a file that is right up to its last whole line; the same command
continues from there. The format is JSON lines: people can read them, and a line without a line
break is known to be torn.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, IdentityError
from harness.files.atomic import replacing
from harness.files.lock import locked
from harness.records.fingerprints import Fingerprints
from harness.records.id_column import IdColumn
from harness.records.identity import describe_other_run
from harness.records.prediction_lines import (
    FORMAT,
    PredictionColumns,
    parse_head,
    parse_predictions,
    sample_line,
    to_line,
    whole_lines,
)

SUFFIX = ".predictions.jsonl"


class PredictionFile:
    """The prediction file of one run, open for appending. Use `open_predictions`.

    `len` counts its predictions, `in` looks for one by its id. Those that were there when it was
    opened are kept as columns.
    """

    def __init__(
        self, path: Path, file: FileIO, content: PredictionColumns, head: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.software: Mapping[str, Any] = head["software"]
        self.inputs: Mapping[str, Any] = head.get("inputs", {})
        self._head = head
        self._file = file
        self._earlier, self._fingerprints = content, content.fingerprints
        self._later: dict[Any, Any] = {}
        self._all: dict[Any, Any] | None = None  # both by id, where they were needed

    @property
    def done(self) -> Mapping[Any, Any]:
        """The predictions so far, by sample id: a dictionary, for a run that has ended."""
        if self._all is None:
            self._all = dict(self.items())
        return self._all

    @property
    def ids(self) -> IdColumn:
        """The ids of the predictions so far."""
        return IdColumn([*self._earlier.ids, *self._later]) if self._later else self._earlier.ids

    def __len__(self) -> int:
        return len(self._earlier.ids) + len(self._later)

    def __contains__(self, id: object) -> bool:
        return id in self._later or id in self._earlier.ids

    @property
    def fingerprints(self) -> Fingerprints:
        """The fingerprints of inputs, by sample id; not of a sample without a readable image."""
        return self._fingerprints

    def append(
        self, predictions: Iterable[tuple[Any, Any]], inputs: Mapping[Any, str] | None = None
    ) -> None:
        """Write predictions (id, prediction) to the operating system: a kill cannot lose them.

        They are of samples that have none. `inputs` maps ids to the fingerprints of their inputs.
        Raises HarnessError for a prediction that JSON lacks (NaN, infinity), and on a full disk.
        """
        new, inputs = dict(predictions), inputs or {}
        lines = [
            sample_line(self.path, id, prediction, inputs.get(id)) for id, prediction in new.items()
        ]
        _write(self._file, "".join(lines), self.path)
        self._later.update(new)
        if self._all is not None:
            self._all.update(new)
        self._fingerprints.update((id, inputs[id]) for id in new if id in inputs)

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Return the predictions so far, each with the id of its sample."""
        yield from zip(self._earlier.ids, self._earlier.predictions, strict=True)
        yield from self._later.items()

    @property
    def kinds(self) -> set[type]:
        """The types of the predictions so far: known at once, where there are many."""
        return {*map(type, self._earlier.predictions), *map(type, self._later.values())}

    def amend(self, *, without: Set[Any], inputs: Mapping[str, Any]) -> None:
        """Rewrite the file, atomically, without the predictions of some samples.

        They can be appended again. `inputs` take the place of those that the file was begun with.
        """
        self.inputs = inputs
        self._head = {**self._head, "inputs": inputs}
        self._rewrite((id, prediction) for id, prediction in self.items() if id not in without)
        with _open(self.path) as file:  # from now on, this file is the one that takes more
            os.dup2(file.fileno(), self._file.fileno(), inheritable=False)
        content = self._file.readall()
        _, begin, end = whole_lines(content, self.path)
        self._earlier = parse_predictions(content, begin, end, self.path)
        self._later, self._all = {}, None
        self._fingerprints = self._earlier.fingerprints

    def arrange(self, ids: Sequence[Any]) -> None:
        """Rewrite the file in the order of `ids`, atomically; afterwards it takes no more.

        The bytes of a finished file depend on neither the batches nor the ranks that made it.
        """
        predictions = self.done
        if list(predictions) == list(ids):
            return
        self._all = {id: predictions[id] for id in ids}
        self._rewrite(self._all.items())

    def _rewrite(self, predictions: Iterable[tuple[Any, Any]]) -> None:
        """Replace the file by one with these predictions. Raises HarnessError where it cannot."""
        try:
            with replacing(self.path) as temporary, _open(temporary) as file:
                _write(file, to_line(self._head), temporary)
                for id, prediction in predictions:
                    line = sample_line(self.path, id, prediction, self._fingerprints.get(id))
                    _write(file, line, temporary)
        except OSError as error:
            raise HarnessError(
                f"{self.path}: cannot be rewritten ({error.strerror}); what was predicted is kept"
            ) from error


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
        first_line, begin, end = whole_lines(content, path)
        head = {
            "format": FORMAT,
            "identity": identity,
            "software": software,
            "inputs": inputs or {},
        }
        if first_line is not None:
            head = _check_header(first_line, path, identity)
        columns = parse_predictions(content, begin, end, path)
        # Only now is the file known to be ours: cut off the line that a kill tore.
        file.truncate(end)
        file.seek(end)
        if first_line is None:
            _write(file, to_line(head), path)
        del content  # megabytes that a run would hold to its end
        yield PredictionFile(path, file, columns, head)


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
