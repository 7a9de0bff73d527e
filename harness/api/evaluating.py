"""Predict and score a benchmark from Python."""

import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from harness.api.arguments import check_name, check_number
from harness.api.benchmarks import LoadedTask, TaskLike, load_task, splits_of
from harness.api.data import PathArgument, PathsArgument
from harness.api.folders import TemporaryFolder
from harness.api.loaded_model import LoadedModel
from harness.api.models import load_model, reproducible_products
from harness.api.own_models import own_weights, require_capability, source_sha256
from harness.api.result import Result
from harness.api.results import Results
from harness.callbacks import Report, no_progress
from harness.checkpoints import Weights
from harness.errors import HarnessWarning, MissingError, UsageError
from harness.files.paths import expanded
from harness.images import AS_REFERENCE, STRICT
from harness.records.stored import read_result
from harness.running import launch, planning
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Run, Speed

UNSTATED = "unstated"  # the precision of an object of the user's


def evaluate(
    model: Any,
    task: TaskLike,
    *,
    split: str | Sequence[str] | None = None,
    data: PathArgument = None,
    annotations: PathsArgument = None,
    answers: PathArgument = None,
    data_name: str | None = None,
    limit: int | None = None,
    out: str | PathLike[str] | None = None,
    name: str | None = None,
    resume: bool | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    skip_unreadable: bool = False,
    images: str | PathLike[str] | None = None,
    progress: bool = False,
) -> Results:
    """Predict the splits of a benchmark with a model, score them, and return the results.

    model       what `load_model` returns; the name or path of a checkpoint, which is then loaded;
                or an object of your own with the members of a capability, such as
                `harness.capabilities.Grounder`
    task        a name, what `load_task` returns, or a `harness.task.Task` of your own
    split       one or several; by default every split
    data, annotations, answers, data_name  as for `load_task`
    limit       evaluate a subset of this many samples, the same on every machine: never a result
    out         folder that keeps records and predictions, as `run --out`; by default a temporary
                one, which goes with the results (`Results.save` keeps them)
    name        name of an object of your own in records; by default that of its class
    resume      continue from predictions in `out`; by default for loaded weights. What an object of
                your own holds is not known, so it predicts anew unless this is True
    batch_size  samples computed together; by default as memory allows. Moves no metric
    workers     threads that decode images; by default the number of cores
    skip_unreadable  count samples of unreadable images as wrong, instead of raising DataError
    images      the policy that decodes images, `strict` (the default) or `as-reference`; with
                `annotations` also the folder of the images, by default that of the file
    progress    show a bar on the error stream

    Warns with HarnessWarning of doubtful metrics. Raises the errors of `harness.errors`:
    MissingError for absent files, CapabilityError for a model that cannot predict the task.
    """
    for argument, value in (("limit", limit), ("batch_size", batch_size), ("workers", workers)):
        check_number(argument, value)
    check_name("name", name)
    reproducible_products()
    policy, image_folder = _split_images(images, own_data=annotations is not None)
    loaded = load_task(
        task,
        data=data,
        annotations=annotations,
        images=image_folder,
        answers=answers,
        data_name=data_name,
    )
    if isinstance(model, str | PathLike):
        model = load_model(model, task=loaded.name, data=data)
    predictor = _resolve(model, loaded, name)
    splits = splits_of(loaded, split)
    temporary = None if out is not None else TemporaryFolder()
    request = planning.Request(
        tasks=[loaded.name],
        splits=splits[loaded.name],
        checkpoint=predictor.weights.name,
        data=loaded.source,
        out=temporary.path if temporary else expanded(str(out)),
        speed=Speed(batch_size, workers or launch.default_workers()),
        device=str(predictor.model.device),
        dtype=predictor.dtype,
        limit=limit,
        skip=skip_unreadable,
        images=policy,
        fresh=not (predictor.resumable if resume is None else resume),
    )
    runs = planning.plan_runs(
        [loaded.definition],
        splits,
        {loaded.name: predictor.weights},
        request,
        missing=_missing_programs(loaded),
    )
    records = [_carry_out(run, predictor, progress=progress) for run in runs]
    return Results(
        [Result(read_result(record), loaded, keep=temporary) for record in records],
        folder=request.out,
        temporary=temporary is not None,
    )


class _Predictor(NamedTuple):
    """The model that the task calls, and its identity in the record.

    `resumable`: whether the record identifies everything that determines predictions.
    """

    model: Any
    weights: Weights
    sha256: str
    dtype: str
    resumable: bool


def _resolve(model: Any, task: LoadedTask, name: str | None) -> _Predictor:
    """Return the model for a task. Raises CapabilityError for one that cannot predict it."""
    needs = task.definition.needs
    if not isinstance(model, LoadedModel):
        require_capability(model, needs, task=task.name)
        weights, sha256 = own_weights(model, name), source_sha256(type(model))
        return _Predictor(model, weights, sha256, UNSTATED, resumable=False)
    capable = model.with_capability(needs, purpose=task.name)
    if name is None:
        weights = model.weights_for(task.definition)
    else:
        weights = replace(model.weights, name=name, release=None)
    return _Predictor(capable, weights, model.sha256, model.dtype, resumable=True)


def _split_images(images: PathArgument, *, own_data: bool) -> tuple[str, PathArgument]:
    """Return the policy that decodes images, and the folder of own images.

    Raises UsageError for a folder without own data.
    """
    if images in (STRICT, AS_REFERENCE):
        return str(images), None
    if images is not None and not own_data:
        raise UsageError(
            f"images={images!r:.80}: is neither {STRICT} nor {AS_REFERENCE}; for a folder of your "
            "own images, pass annotations=FILE too"
        )
    return STRICT, images


def _carry_out(run: Run, predictor: _Predictor, *, progress: bool) -> Path:
    """Predict and score a split in this process; return the path of its record."""
    outcome = launch.carry_out(
        replace(run, sha256=predictor.sha256),
        predictor.model,
        SingleProcess(),
        progress=_bar if progress else no_progress,
        warn=_warn,
    )
    assert outcome is not None  # this process is the only one
    for caveat in outcome.caveats:
        _warn(f"{run.title}: {caveat}")
    return outcome.record


def _missing_programs(task: LoadedTask) -> Sequence[str]:
    """Return the programs that scoring needs and this machine lacks."""
    try:
        task.definition.check_environment()
    except MissingError as error:
        return error.items
    return ()


def _bar(title: str) -> AbstractContextManager[Report]:
    """Show a bar on a terminal, lines of text elsewhere."""
    # Imported here: a call without progress needs no rich.
    from harness.running.progress import Progress

    return Progress(title, sys.stderr, say=_write_line)


def _write_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _warn(message: str) -> None:
    warnings.warn(message, HarnessWarning, stacklevel=2)
