"""Score the user's own predictions, without a model."""

import json
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.arguments import check_name
from harness.api.benchmarks import TaskLike, load_task
from harness.api.data import PathArgument, PathsArgument
from harness.api.folders import TemporaryFolder
from harness.api.result import Result
from harness.api.results import Results
from harness.errors import DataError, HarnessWarning, UsageError
from harness.files.paths import expanded
from harness.formats.submissions import match_predictions
from harness.records.stored import read_result
from harness.running.stored.keeping import keep_scores
from harness.running.stored.scoring import score_predictions
from harness.task import Prediction, Sample, SampleId

if TYPE_CHECKING:
    import pandas as pd

NAME = "predictions"  # of the user's own predictions in records


def score(
    task: TaskLike,
    predictions: "Mapping[Any, Any] | pd.DataFrame | str | PathLike[str]",
    *,
    split: str | None = None,
    data: PathArgument = None,
    annotations: PathsArgument = None,
    images: PathArgument = None,
    answers: PathArgument = None,
    data_name: str | None = None,
    out: str | PathLike[str] | None = None,
    name: str | None = None,
) -> Results:
    """Score predictions for every sample of a split, and return the result.

    task         a name, what `load_task` returns, or a `harness.task.Task` of your own
    predictions  a mapping from sample id to prediction; a DataFrame with the columns `id` (or an
                 index of that name) and `prediction`; or a file, of `run` or in the format of the
                 benchmark. A prediction is what the task stores: an answer, a caption, a box (cx,
                 cy, w, h) in 0..1 (`harness.metrics.in_fractions`), true or false
    split        its name; not needed where the task has one only, such as own data
    data, annotations, images, answers, data_name  as for `load_task`; images are not needed, but
                 for boxes of own data without sizes
    out          folder that keeps the result, by default a temporary one, as for `evaluate`
    name         the name of what made the predictions, in the record

    Raises UsageError for a split with hidden truths, DataError where a sample has no prediction, or
    a prediction belongs to no sample.

    >>> everywhere = {s.id: [0.5, 0.5, 1, 1] for s in load_task("refcoco+").samples("val")}
    >>> round(score("refcoco+", everywhere, split="val").metrics["accuracy"], 1)
    0.0
    """
    check_name("name", name)
    loaded = load_task(
        task,
        data=data,
        annotations=annotations,
        images=images,
        answers=answers,
        data_name=data_name,
    )
    split = loaded.split(split)
    temporary = TemporaryFolder()
    if isinstance(predictions, str | PathLike):
        path, read = expanded(fspath(predictions)), None
    else:
        by_id = _as_mapping(predictions)
        path, read = temporary.path / f"{name or NAME}.json", partial(_matched, by_id)
        _write(by_id, path)
    scored = score_predictions(loaded.definition, split, path, source=loaded.source, read=read)
    for caveat in scored.scores.caveats:
        warnings.warn(f"{scored.task} {scored.split}: {caveat}", HarnessWarning, stacklevel=2)
    folder = temporary.path if out is None else expanded(fspath(out))
    default = None if read is None and scored.stored is not None else NAME
    record = keep_scores(scored, folder, checkpoint=name or default)
    keep = temporary if out is None else None
    result = Result(read_result(record), loaded, keep=keep)
    return Results([result], folder=folder, temporary=out is None)


def _as_mapping(predictions: Any) -> dict[Any, Prediction]:
    """Return predictions by id in JSON's types. Raises UsageError, or DataError for two of an id.

    >>> import numpy as np
    >>> _as_mapping({np.int64(7): np.array([0.5, 0.25])})
    {7: [0.5, 0.25]}
    """
    if isinstance(predictions, Mapping):
        return {_id(id): _plain(value) for id, value in predictions.items()}
    columns = getattr(predictions, "columns", None)
    if columns is None or "prediction" not in columns:
        raise UsageError(
            "predictions should be a mapping from sample id to prediction, a DataFrame with the "
            f"columns id and prediction, or the path of a file, not {type(predictions).__name__}"
        )
    ids = predictions["id"] if "id" in columns else predictions.index
    pairs = [
        (_id(id), _plain(value)) for id, value in zip(ids, predictions["prediction"], strict=True)
    ]
    by_id = dict(pairs)
    if len(by_id) < len(pairs):
        repeated = next(id for id, _ in pairs if sum(id == other for other, _ in pairs) > 1)
        raise DataError(f"the predictions have several of one id, e.g. {repeated!r}")
    return by_id


def _write(by_id: Mapping[Any, Prediction], path: Path) -> None:
    """Write predictions as JSON. Raises UsageError for values that JSON lacks."""
    try:
        path.write_text(json.dumps(list(by_id.items())), encoding="utf-8")
    except TypeError as error:
        raise UsageError(
            f"predictions should consist of texts, numbers, lists and NumPy arrays ({error})"
        ) from error


def _matched(
    by_id: Mapping[Any, Prediction], samples: Sequence[Sample]
) -> Mapping[SampleId, Prediction]:
    """Return one prediction for each sample; an id that JSON turned into text is recognised."""
    ids = [sample.id for sample in samples]
    known = {str(id): id for id in ids}
    pairs = [(known.get(str(id), id), value) for id, value in by_id.items()]
    return match_predictions(Path("the predictions"), pairs, ids)


def _id(value: Any) -> Any:
    """Return an id in JSON's types. Raises UsageError for anything but a number or a text."""
    id = _plain(value)
    if isinstance(id, bool) or not isinstance(id, int | str):
        raise UsageError(f"an id of a sample is a whole number or a text, not {value!r:.80}")
    return id


def _plain(value: Any) -> Any:
    """Return a value of NumPy or of a tuple in the types of JSON."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
