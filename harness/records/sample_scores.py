"""Per-sample scores beside a record: two runs are compared without data, model or scorers.

The file `<task>.<split>.contributions.npz` holds NumPy arrays, so reading it runs no code. They are
the statistics of the metrics, and a digest of each prediction, which shows a change even where the
predictions were not kept.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.metrics.attribute_ranks import Chance, MeanAveragePrecision
from harness.metrics.caption_sums import Bleu, Meteor
from harness.records.fingerprints import PARTS
from harness.records.prediction_lines import ENCODER
from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Statistic

SUFFIX = ".contributions.npz"
KINDS: Mapping[str, type] = {
    kind.kind: kind for kind in (Mean, MeanOfMeans, Bleu, Meteor, MeanAveragePrecision, Chance)
}
DIGEST_BYTES = 8  # of a prediction's SHA-256


@dataclass(frozen=True)
class SampleScores:
    """The `ids` of samples in the order of the annotation file, and what each of them got.

    `digests` [n] of the predictions; `by_sample` maps a measure to its values [n], higher is
    better; `statistics` maps a metric to its statistic; `inputs` [n, 3] are the fingerprints of
    what each sample was predicted from (`Fingerprints.parts_of`), None if they are unknown.
    """

    ids: Sequence[int | str]
    digests: NDArray[np.uint64]
    by_sample: Mapping[str, NDArray[np.float64]]
    statistics: Mapping[str, Statistic]
    inputs: NDArray[np.uint32] | None = None


def digest(prediction: Any) -> int:
    """Return the first DIGEST_BYTES of the SHA-256 of a prediction's JSON as a number."""
    text = ENCODER.encode(prediction)
    sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(sha256.digest()[:DIGEST_BYTES], "big")


def write_sample_scores(path: Path, scores: SampleScores) -> None:
    """Write sample scores atomically; equal ones give equal bytes. Shared arrays are stored once.

    A statistic of an unknown kind (of another package's task) is left out: its metric has an
    interval and no comparison. Raises HarnessError where the file cannot be written.
    """
    arrays: list[NDArray[Any]] = []
    statistics = {
        name: _pack(statistic, arrays)
        for name, statistic in scores.statistics.items()
        if statistic.kind in KINDS
    }
    content = {
        "ids": np.array(json.dumps(list(scores.ids))),
        "digests": scores.digests,
        "by_sample": np.array(json.dumps(list(scores.by_sample))),
        "values": np.array(list(scores.by_sample.values()), dtype=np.float64),
        "statistics": np.array(json.dumps(statistics)),
        **{f"array{number}": array for number, array in enumerate(arrays)},
    }
    if scores.inputs is not None:
        content["inputs"] = scores.inputs
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **content)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); "
            "predictions are kept, run the same command to go on"
        ) from error


def read_sample_scores(path: Path) -> SampleScores:
    """Read sample scores. Raises DataError for any other file."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        ids, measures = json.loads(str(content["ids"])), json.loads(str(content["by_sample"]))
        packed = json.loads(str(content["statistics"]))
        scores = SampleScores(
            ids,
            content["digests"],
            dict(zip(measures, content["values"], strict=True)),
            {name: _unpack(value, content) for name, value in packed.items()},
            content.get("inputs"),
        )
        if any(len(values) != len(ids) for values in (scores.digests, *scores.by_sample.values())):
            raise ValueError("not one value per sample")
        if scores.inputs is not None and scores.inputs.shape != (len(ids), len(PARTS)):
            raise ValueError("not one fingerprint per sample")
        most = len(ids) + sum(map(_units, scores.statistics.values()))
        for name, statistic in scores.statistics.items():
            _check_arrays(name, statistic, most)
        return scores
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(
            f"{path}: does not hold the scores of samples ({error}); score the predictions again"
        ) from error


def _units(statistic: Statistic) -> int:
    """Return how many units a statistic holds that may belong to a cluster."""
    if isinstance(statistic, MeanOfMeans):
        return sum(map(_units, statistic.parts))
    return len(statistic.values) if isinstance(statistic, Mean) else 0


def _check_arrays(name: str, statistic: Any, most: int) -> None:
    """Raise ValueError for clusters, counts, labels or rankings that no statistic has.

    `most` clusters may be: several means may number theirs together, and each lack some of them.
    """
    if isinstance(statistic, MeanOfMeans):
        if len({part.clusters for part in statistic.parts}) != 1:
            raise ValueError(f"the parts of {name} differ in their number of clusters")
        for part in statistic.parts:
            _check_arrays(name, part, most)
    elif isinstance(statistic, Mean):
        clusters, units = statistic.clusters, len(statistic.values)
        if clusters > most:
            raise ValueError(f"{name} has {clusters} clusters, of at most {most} units")
        if not _are_numbers_of(statistic.cluster, units, below=clusters):
            raise ValueError(f"the clusters of {name} are not numbers from 0 to {clusters - 1}")
    elif isinstance(statistic, Bleu | Meteor):
        if statistic.counts.dtype.kind not in "iu" or (statistic.counts < 0).any():
            raise ValueError(f"the counts of {name} are not numbers from 0 up")
    else:
        boxes, attributes = statistic.labels.shape
        if not _are_numbers_of(statistic.image, boxes, below=most + boxes):
            raise ValueError(f"the images of {name} are not numbers from 0 to {most + boxes - 1}")
        if not _are_numbers_of(statistic.columns, len(statistic.columns), below=attributes):
            raise ValueError(f"the attributes of {name} are not numbers from 0 to {attributes - 1}")
        if not np.isfinite(getattr(statistic, "scores", statistic.labels)).all():
            raise ValueError(f"{name} holds scores that are not numbers")


def _are_numbers_of(array: Any, length: int, *, below: int) -> bool:
    if array.shape != (length,) or array.dtype.kind not in "iu":
        return False
    return length == 0 or bool(array.min() >= 0 and array.max() < below)


def _pack(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a statistic as JSON types, its arrays appended to `arrays` and replaced by numbers."""
    if isinstance(value, np.ndarray):
        for number, array in enumerate(arrays):
            if array.dtype == value.dtype and np.array_equal(array, value):
                return {"array": number}
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, tuple):
        return [_pack(item, arrays) for item in value]
    if getattr(value, "kind", None) in KINDS:
        content = {field.name: getattr(value, field.name) for field in fields(value)}
        return {
            "kind": value.kind,
            **{name: _pack(item, arrays) for name, item in content.items()},
        }
    return value


def _unpack(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the value that `_pack` was given."""
    if isinstance(value, list):
        return tuple(_unpack(item, arrays) for item in value)
    if isinstance(value, dict) and "array" in value:
        return arrays[f"array{value['array']}"]
    if isinstance(value, dict):
        content = {name: item for name, item in value.items() if name != "kind"}
        return KINDS[value["kind"]](
            **{name: _unpack(item, arrays) for name, item in content.items()}
        )
    return value
