"""What each sample contributed to the metrics of a record, kept beside it: two runs are compared without data, model or scorers.

A file `<task>.<split>.contributions.npz`: NumPy arrays, nothing that could run code. Beside the statistics of the metrics it holds a
digest of every prediction, so that a changed one is seen even where the predictions themselves were not kept.
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
from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Statistic

SUFFIX = ".contributions.npz"
KINDS: Mapping[str, type] = {
    kind.kind: kind for kind in (Mean, MeanOfMeans, Bleu, Meteor, MeanAveragePrecision, Chance)
}
BEGINNING = 8  # bytes of a prediction's SHA-256 that are kept


@dataclass(frozen=True)
class SampleScores:
    """The samples in the order of the annotation file: their `ids`, a digest of each prediction, and what each got.

    `by_sample` is name -> values, more is better; `statistics` are those of the metrics, by name.
    """

    ids: Sequence[int | str]
    digests: NDArray[np.uint64]
    by_sample: Mapping[str, NDArray[np.float64]]
    statistics: Mapping[str, Statistic]


def digest(prediction: Any) -> int:
    """Return a number that another prediction would hardly have: the beginning of the SHA-256 of its JSON."""
    text = json.dumps(prediction, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return int.from_bytes(
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:BEGINNING], "big"
    )


def write_sample_scores(path: Path, contributions: SampleScores) -> None:
    """Write contributions all at once; the same ones give the same bytes. Arrays that several statistics share are written once.

    A statistic of a kind that is not known here (a task of another package) is left out: its metric has an interval and no comparison.
    """
    arrays: list[NDArray[Any]] = []
    known = {
        name: statistic
        for name, statistic in contributions.statistics.items()
        if statistic.kind in KINDS
    }
    content = {
        "ids": np.array(json.dumps(list(contributions.ids))),
        "digests": contributions.digests,
        "by_sample": np.array(json.dumps(list(contributions.by_sample))),
        "values": np.array(list(contributions.by_sample.values()), dtype=np.float64),
        "statistics": np.array(
            json.dumps({name: _packed(statistic, arrays) for name, statistic in known.items()})
        ),
        **{f"array{number}": array for number, array in enumerate(arrays)},
    }
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **content)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); predictions are kept, run the same command to go on"
        ) from error


def read_sample_scores(path: Path) -> SampleScores:
    """Read contributions. Raises DataError for a file that holds none."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
        ids, names = json.loads(str(content["ids"])), json.loads(str(content["by_sample"]))
        packed = json.loads(str(content["statistics"]))
        statistics = {name: _unpacked(value, content) for name, value in packed.items()}
        found = SampleScores(
            ids, content["digests"], dict(zip(names, content["values"], strict=True)), statistics
        )
        if any(len(values) != len(ids) for values in (found.digests, *found.by_sample.values())):
            raise ValueError("not one value a sample")
        return found
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(
            f"{path}: does not hold what samples contributed ({error}); score the predictions again"
        ) from error


def _packed(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a statistic in JSON's types; arrays are put into `arrays` and named by their number there."""
    if isinstance(value, np.ndarray):
        for number, array in enumerate(arrays):
            if array.dtype == value.dtype and np.array_equal(array, value):
                return {"array": number}
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, tuple):
        return [_packed(item, arrays) for item in value]
    if getattr(value, "kind", None) in KINDS:
        return {
            "kind": value.kind,
            **{field.name: _packed(getattr(value, field.name), arrays) for field in fields(value)},
        }
    return value


def _unpacked(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return tuple(_unpacked(item, arrays) for item in value)
    if isinstance(value, dict) and "array" in value:
        return arrays[f"array{value['array']}"]
    if isinstance(value, dict):
        return KINDS[value["kind"]](
            **{name: _unpacked(item, arrays) for name, item in value.items() if name != "kind"}
        )
    return value
