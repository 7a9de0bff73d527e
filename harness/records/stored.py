"""What lies beside a record: the contributions of its samples and its predictions, only if they are the ones that it was made with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingError
from harness.formats.folder import sha256_of
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import stored_bytes, stored_predictions
from harness.records.record import ResultRecord, find_records, read_record
from harness.records.sample_scores import SUFFIX as CONTRIBUTIONS
from harness.records.sample_scores import SampleScores, read_sample_scores


@dataclass(frozen=True)
class Result:
    """A record and where it lies."""

    record: ResultRecord
    path: Path

    @property
    def title(self) -> str:
        """Whose result it is: checkpoint, task and split."""
        return f"{self.record.checkpoint['name']} {self.record.task} {self.record.split}"

    @cached_property
    def contributions(self) -> SampleScores:
        """What its samples contributed. Raises MissingError where it was not kept, DataError where it is that of another record."""
        path = self._beside(CONTRIBUTIONS)
        if not path.is_file():
            raise MissingError(
                f"{path}: is not there; copy it along with its record, or run the same command again to score anew"
            )
        if sha256_of(path) != self.record.contributions.get("sha256"):
            raise DataError(
                f"{path}: is not what the record beside it was made with; score the predictions again"
            )
        return read_sample_scores(path)

    @cached_property
    def predictions(self) -> Mapping[Any, Any] | None:
        """Its predictions by id, also from a file compressed by gzip; None where they were not kept. Raises DataError for other ones."""
        for path in (self._beside(PREDICTIONS), self._beside(f"{PREDICTIONS}.gz")):
            if path.is_file():
                if hashlib.sha256(stored_bytes(path)).hexdigest() != self.record.predictions.get(
                    "sha256"
                ):
                    raise DataError(
                        f"{path}: are not the predictions that the record beside it was made of; score them again"
                    )
                return stored_predictions(path).predictions
        return None

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name.removesuffix(".json") + suffix)


@dataclass(frozen=True)
class Results:
    """What a folder holds: its results in order of path, and sentences about files that are no results."""

    found: tuple[Result, ...]
    refused: tuple[str, ...]


def find_results(folder: Path) -> Results:
    """Return every result below a folder that `run --out` wrote. Raises MissingError where there is no folder."""
    if not folder.is_dir():
        raise MissingError(
            f"{folder}: no such folder of results; `xvlm-eval run --task refcoco+ --out {folder}` makes one"
        )
    found = find_records(folder)
    return Results(
        tuple(Result(record, record.path(folder)) for record in found.records),
        (*found.damaged, *found.misplaced),
    )


def read_result(path: Path) -> Result:
    """Return the result whose record lies at a path. Raises DataError where there is none."""
    return Result(read_record(path), path)
