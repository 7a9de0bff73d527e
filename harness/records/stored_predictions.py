"""Read the prediction file of any run, finished or not, compressed or not."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError
from harness.files.kinds import EMPTY, read_bytes
from harness.files.parsing import may_hold_surrogates
from harness.files.validation_errors import describe_non_json
from harness.records.fingerprints import Fingerprints
from harness.records.prediction_lines import parse_head, parse_predictions, whole_lines


class StoredPredictions(NamedTuple):
    """The content of a prediction file: the run's identity and inputs, the predictions by id.

    `fingerprints` are those of each sample's inputs, where they are known.
    """

    identity: Mapping[str, Any]
    inputs: Mapping[str, Any]
    predictions: Mapping[Any, Any]
    software: Mapping[str, Any]
    fingerprints: Fingerprints


def read_predictions(path: Path) -> StoredPredictions:
    """Read a prediction file of any run, finished or not, compressed by gzip or not.

    Raises DataError for a damaged file and for any other file.
    """
    content = read_prediction_bytes(path)
    first_line, begin, end = whole_lines(content, path)
    if first_line is None:
        raise DataError(f"{path}: holds no predictions yet")
    head = parse_head(first_line, path)
    ids, values, fingerprints = parse_predictions(content, begin, end, path)
    predictions = dict(zip(ids, values, strict=True))
    return StoredPredictions(
        head["identity"], head.get("inputs", {}), predictions, head["software"], fingerprints
    )


def read_prediction_bytes(path: Path) -> bytes:
    """Return the content of a prediction file, decompressed if it is gzip.

    Raises DataError where it cannot be read, and for half a surrogate pair, which is not text.
    """
    content = read_bytes(path, EMPTY.name)
    if may_hold_surrogates(content):
        for number, line in enumerate(content.split(b"\n"), start=1):
            with suppress(ValueError, RecursionError):
                if problem := describe_non_json(json.loads(line), f"{path}, line {number}"):
                    raise DataError(problem)
    return content
