"""A stored result: a record and its sidecar files, each verified by the hash in the record."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingError
from harness.files.paths import distinct
from harness.formats.folder import sha256_of
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.record import ResultRecord, find_records, read_record
from harness.records.sample_scores import SUFFIX as SAMPLE_SCORES
from harness.records.sample_scores import SampleScores, read_sample_scores
from harness.records.stored_predictions import read_prediction_bytes, read_predictions


@dataclass(frozen=True)
class StoredResult:
    """A record and its path; the sidecar files are read when they are used.

    `folder` tells it from a result of the same checkpoint in another folder of results; it is empty
    where there is none.
    """

    record: ResultRecord
    path: Path
    folder: str = ""

    @property
    def checkpoint(self) -> str:
        """The name of its checkpoint, with the folder where two of them have one name."""
        return display_name(self.record.checkpoint["name"], self.folder)

    @property
    def title(self) -> str:
        """Checkpoint, task and split."""
        return f"{self.checkpoint} {self.record.task} {self.record.split}"

    @property
    def keeps_sample_scores(self) -> bool:
        """Whether the file of its sample scores lies beside the record."""
        return self._sidecar(SAMPLE_SCORES).is_file()

    @cached_property
    def sample_scores(self) -> SampleScores:
        """The scores of its samples.

        Raises MissingError if the file is missing, DataError if it belongs to another record.
        """
        path = self._sidecar(SAMPLE_SCORES)
        if not self.keeps_sample_scores:
            raise MissingError(
                f"{path}: is missing; copy it along with its record, "
                "or run the same command again to score anew"
            )
        if sha256_of(path) != self.record.contributions.get("sha256"):
            raise DataError(f"{path}: belongs to another record; score the predictions again")
        return read_sample_scores(path)

    @cached_property
    def predictions(self) -> Mapping[Any, Any] | None:
        """Its predictions by sample id, also from a gzip file; None if they were not kept.

        Raises DataError if they belong to another record.
        """
        for path in (self._sidecar(PREDICTIONS), self._sidecar(f"{PREDICTIONS}.gz")):
            if path.is_file():
                sha256 = hashlib.sha256(read_prediction_bytes(path)).hexdigest()
                if sha256 != self.record.predictions.get("sha256"):
                    raise DataError(
                        f"{path}: are not the predictions of the record beside it; score them again"
                    )
                return read_predictions(path).predictions
        return None

    def _sidecar(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name.removesuffix(".json") + suffix)


@dataclass(frozen=True)
class StoredResults:
    """The results of a folder in order of path, and a sentence about each rejected file.

    `damaged` counts those that are not records; the others are moved or renamed. `remarks` are
    sentences about folders that cannot be read, and may hold anything.
    """

    results: tuple[StoredResult, ...]
    rejected: tuple[str, ...]
    damaged: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """A sentence about everything that was left out."""
        return (*self.rejected, *self.remarks)


def refuse_other_than_folder(path: Path) -> None:
    """Raise MissingError unless a path, which results are to be read from, is that of a folder."""
    if path.is_file():
        raise MissingError(f"{path}: is a file; name the folder of results that it lies in")
    if not path.is_dir():
        raise MissingError(
            f"{path}: no such folder of results; "
            f"`xvlm-eval run --task refcoco+ --out {path}` makes one"
        )


def find_results(folder: Path) -> StoredResults:
    """Return every result below a folder of `run --out`. Raises MissingError without a folder."""
    refuse_other_than_folder(folder)
    records, damaged, misplaced, unreadable = find_records(folder)
    return StoredResults(
        tuple(StoredResult(record, record.path(folder)) for record in records),
        (*damaged, *misplaced),
        len(damaged),
        tuple(unreadable),
    )


def refuse_unreadable(found: StoredResults) -> None:
    """Raise DataError where a folder below cannot be read: the results in it would be ignored."""
    if found.remarks:
        raise DataError(
            f"{found.remarks[0]}, and may hold results; make it readable, or move it elsewhere"
        )


def find_sound_results(folder: Path) -> tuple[StoredResult, ...]:
    """Return every result below a folder of `run --out`.

    Raises MissingError without a folder, DataError for a damaged record and for a folder below that
    cannot be read.
    """
    found = find_results(folder)
    if found.damaged:
        raise DataError(found.rejected[0])
    refuse_unreadable(found)
    return found.results


def find_all_results(folders: Sequence[Path]) -> StoredResults:
    """Return every result below several folders of `run --out`.

    Results of one checkpoint, task and split in several folders are told apart by their `folder`.
    Raises MissingError without one of the folders.
    """
    found = [(folder, find_results(folder)) for folder in distinct(folders)]
    ambiguous = ambiguous_names([[r.record for r in results.results] for _, results in found])
    return StoredResults(
        tuple(
            replace(result, folder=str(folder))
            if result.record.checkpoint["name"] in ambiguous
            else result
            for folder, results in found
            for result in results.results
        ),
        tuple(reason for _, results in found for reason in results.rejected),
        sum(results.damaged for _, results in found),
        tuple(remark for _, results in found for remark in results.remarks),
    )


def ambiguous_names(folders: Sequence[Sequence[ResultRecord]]) -> set[str]:
    """Return the names of checkpoints that several folders have a result of the same split of."""
    counts = Counter(
        key
        for records in folders
        for key in {(r.checkpoint["name"], r.task, r.split) for r in records}
    )
    return {name for (name, _, _), count in counts.items() if count > 1}


def display_name(name: str, folder: str) -> str:
    """Return a checkpoint's name, with the folder of its results unless that is empty."""
    return f"{name} [{folder}]" if folder else name


def read_result(path: Path) -> StoredResult:
    """Return the result of the record at a path. Raises DataError for anything but a record."""
    return StoredResult(read_record(path), path)
