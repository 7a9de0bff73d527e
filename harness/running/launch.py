"""From the words of a command line to runs, and through them to their outcomes.

    request = Request(tasks=["refcoco+"], data=resolve_data(None), ...)
    plan = make_plan(request)                      # names looked up, files found: a list of runs
    for outcome in run_all(plan, SingleProcess(), progress=no_progress, warn=print):
        print(outcome.record)

Nothing is loaded before everything is known to be there.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from harness.callbacks import Progress, Warn, no_progress
from harness.capabilities import Model
from harness.checkpoints import Given, Weights, find_entry, find_weights
from harness.data.resolve import DataSource, Embedded, Hub
from harness.errors import CapabilityError, CheckpointError, HarnessError, MissingError
from harness.files.paths import config_file
from harness.files.reads import file_state
from harness.images import STRICT, decoding
from harness.registry import (
    find_family,
    find_tasks,
    load_model,
    loadable_tasks,
    splits_of,
    wants_all,
)
from harness.running.ahead import ReadAhead, sharing_the_lock
from harness.running.distributed import ProcessGroup, SingleProcess, started_by_torchrun
from harness.running.evaluate import evaluate
from harness.running.forecast import Forecast, forecast
from harness.running.pinned import pin_on_first_use, verified_sha256
from harness.running.plugin_errors import naming_plugins
from harness.running.plugin_tasks import without_unfed_plugins
from harness.running.run import Outcome, Run, Speed
from harness.running.source import WHEN_NEEDED, Source
from harness.running.subset import subset
from harness.running.trials import Trials
from harness.task import Task


@dataclass(frozen=True)
class Request:
    """The flags of `run`: names as the user wrote them, None for a flag that was left out."""

    tasks: Sequence[str]
    splits: Sequence[str]
    checkpoint: str | None
    data: DataSource
    out: Path
    speed: Speed
    device: str
    dtype: str
    limit: int | None = None
    skip: bool = False
    images: str = STRICT
    fresh: bool = False
    given: Given | None = None

    @property
    def chosen_checkpoint(self) -> str:
        """The checkpoint by name or path; by default the one that suits the data."""
        return self.checkpoint or self.data.default_checkpoint


class Plan(NamedTuple):
    """The runs of a request. `left_out` are tasks that `all` names and the checkpoint lacks.

    `notes` say why tasks of other packages are left out of `all`. `trials` of what scoring needs
    were begun.
    """

    runs: Sequence[Run]
    left_out: Sequence[str]
    notes: Sequence[str] = ()
    trials: Trials = Trials()


def banner(request: Request) -> str:
    """Return the first line of a run: its data and weights, and how to name others."""
    if not isinstance(request.data, Embedded):
        return f"data of {request.data}, evaluated with {request.chosen_checkpoint}"
    return (
        f"embedded benchmark: {request.chosen_checkpoint} on shapes, because no data folder is "
        f"configured (--data DIR, XVLM_EVAL_DATA, or `data: DIR` in {config_file()})"
    )


def make_plan(request: Request, *, progress: Progress = no_progress, scores: bool = True) -> Plan:
    """Resolve a request into runs.

    A process that `scores` checks what scoring needs, and begins its trials. Raises UsageError for
    an unknown name, and one MissingError for everything that is missing.
    """
    tasks = _find_tasks(request)
    splits = splits_of(tasks, request.splits, every=wants_all(request.tasks))
    tasks = [task for task in tasks if task.name in splits]
    notes: Mapping[str, str] = {}
    if isinstance(request.data, Embedded) and wants_all(request.tasks):
        tasks, notes = without_unfed_plugins(tasks, request.tasks, splits, request.data)
    weights: dict[str, Weights] = {}
    missing: list[str] = []
    trials = Trials()
    for task in tasks:
        try:
            if scores:
                trials.begin(task)
        except MissingError as error:
            missing += error.items
        try:
            weights[task.name] = find_weights(
                request.chosen_checkpoint,
                task=task.name,
                data=request.data.folder,
                given=request.given,
                like=task.weights_of,
            )
        except MissingError as error:
            missing += error.items
    runs = plan_runs(tasks, splits, weights, request, progress=progress, missing=missing)
    names = {task.name for task in tasks} | notes.keys()
    left_out = [task.name for task in find_tasks(request.tasks) if task.name not in names]
    broken = loadable_tasks()[1] if wants_all(request.tasks) else []
    notices = [*notes.values(), *(f"left out: {reason}" for reason in broken)]
    return Plan(runs, left_out, notices, trials)


def plan_runs(
    tasks: Sequence[Task],
    splits: Mapping[str, Sequence[str]],
    weights: Mapping[str, Weights],
    request: Request,
    *,
    progress: Progress = no_progress,
    missing: Sequence[str] = (),
) -> list[Run]:
    """Return a run for each split of each task, by the weights for that task.

    Raises one MissingError for all files that are missing, and for what already was `missing`.
    """
    if missing and isinstance(request.data, Hub):  # before gigabytes are read for nothing
        raise MissingError(*dict.fromkeys(missing))
    data = request.data.open(splits, progress=progress)
    files = [
        f"{data.root}: missing {needed}"
        for task in tasks
        for split in splits[task.name]
        for needed in data.missing(task.files(split))
    ]
    if files or missing:
        raise MissingError(*dict.fromkeys([*files, *missing]))
    return [
        Run(
            task=task,
            split=split,
            data=data,
            weights=weights[task.name],
            out=request.out,
            speed=request.speed,
            device=request.device,
            dtype=request.dtype,
            limit=request.limit,
            skip=request.skip,
            images=request.images,
            fresh=request.fresh,
        )
        for task in tasks
        for split in splits[task.name]
    ]


def process_group() -> AbstractContextManager[ProcessGroup]:
    """Join the other processes of this run, where torchrun started several."""
    if not started_by_torchrun():
        return nullcontext(SingleProcess())
    # Imported here: it imports torch, which a run on missing data never needs.
    from harness.running.torchrun import joined

    return joined()


def agree_on_plan(request: Request, group: ProcessGroup, *, progress: Progress) -> Plan:
    """Return the plan in every process, in rank 0 first.

    Rank 0 may have to write the embedded benchmark, or data from the hub. A collective call.
    """
    if group.rank == 0:
        plan = make_plan(request, progress=progress)
        group.all_gather(None)
        return plan
    group.all_gather(None)
    return make_plan(request, scores=False)


def run_all(
    plan: Plan, group: ProcessGroup, *, progress: Progress, warn: Warn
) -> Iterator[Outcome]:
    """Carry out the runs of a plan; yield each outcome as it is there, in rank 0 only.

    A model is loaded once for all splits of a task. Raises MissingError as soon as a trial of the
    plan has failed.
    """
    with _reading_ahead(plan.runs, group) as ahead:
        for run, model in _with_models(plan.runs, group, ahead):
            with ahead.source(run, model) as source:
                outcome = carry_out(
                    run,
                    model,
                    group,
                    progress=progress,
                    warn=warn,
                    trials=plan.trials,
                    source=source,
                )
            if outcome is not None:
                yield outcome


def carry_out(
    run: Run,
    model: Model,
    group: ProcessGroup,
    *,
    progress: Progress,
    warn: Warn,
    trials: Trials | None = None,
    source: Source = WHEN_NEEDED,
) -> Outcome | None:
    """Carry out one run, whose `sha256` is filled in, with its model; outcome in rank 0 only."""
    if group.rank == 0:
        pin_on_first_use(run.weights, run.sha256)
    with progress(run.title) as report, decoding(run.images), naming_plugins(run.plugins):
        report = report if trials is None else trials.watch(report)
        return evaluate(run, model, group, report=report, warn=warn, source=source)


def forecast_all(plan: Plan) -> Iterator[Forecast]:
    """Yield what each run of a plan will take on one process; predicts a little, writes nothing."""
    group = SingleProcess()
    with _reading_ahead(plan.runs, group) as ahead:
        for run, model in _with_models(plan.runs, group, ahead):
            with decoding(run.images), naming_plugins(run.plugins):
                samples = ahead.samples(run)
                samples = samples if run.limit is None else subset(samples, run.limit)
                expected = forecast(run.task, run.split, model, samples, speed=run.speed)
            yield expected
    plan.trials.wait()


def default_workers() -> int:
    """Return the default number of threads that decode images: one per core, at most 16.

    A GPU keeps no more than 16 busy; beside a model on the CPU, decoding takes next to nothing.
    """
    return min(16, os.cpu_count() or 1)


def _find_tasks(request: Request) -> list[Task]:
    """Return the tasks of a request.

    Of `all`, those that an entry of checkpoints.yaml has weights for; a file given by path may be
    for any.
    """
    tasks, entry = find_tasks(request.tasks), find_entry(request.chosen_checkpoint)
    if entry is None or not wants_all(request.tasks):
        return tasks
    return [task for task in tasks if task.name in entry.files]


def _reading_ahead(runs: Sequence[Run], group: ProcessGroup) -> ReadAhead:
    return ReadAhead(runs, group, hash=lambda weights: verified_sha256(weights))


def _with_models(
    runs: Sequence[Run], group: ProcessGroup, ahead: ReadAhead
) -> Iterator[tuple[Run, Model]]:
    """Yield each run, its `sha256` filled in, with its model; one model for all runs of a task.

    The annotations that the splits of a task have in common are read once, those of the first one
    while the model is loaded.
    """
    for _, of_task in groupby(runs, key=lambda run: run.task.name):
        first, *others = of_task
        with ahead.reading(first), decoding(first.images):
            sha256, model = _load_and_hash(first, group, ahead)
            for run in (first, *others):
                yield replace(run, sha256=sha256), model


def _load_and_hash(run: Run, group: ProcessGroup, ahead: ReadAhead) -> tuple[str, Model]:
    """Return the SHA-256 of a run's weights, and the model. A collective call.

    The file is hashed while the model is made of it, and once on every machine; the annotations are
    read meanwhile too. Raises CheckpointError where two machines have different files.
    """
    before, digest = ahead.hashing(run)
    _import_code(run)
    ahead.begin_samples(run)
    try:
        with sharing_the_lock():
            model = _load(run)
    except HarnessError:
        if digest is not None:
            digest.result()  # that it is another file explains what is wrong with it
        raise
    hashes = group.all_gather(None if digest is None else digest.result())
    if file_state(run.weights.path) != before:
        raise CheckpointError(f"{run.weights.path}: was changed while it was read; start again")
    if len(different := {sha256 for sha256 in hashes if sha256 is not None}) > 1:
        raise CheckpointError(
            f"{run.weights.path}: is another file on another machine of this run "
            f"(sha256 {', '.join(sorted(different))}); give all of them the same one"
        )
    return different.pop(), model


def _import_code(run: Run) -> None:
    """Import the code of a run's model, if it can predict the task.

    First, and alone: what other threads do in Python would only delay it.
    """
    family = find_family(run.weights.family)
    if set(run.task.needs) & set(family.offers):
        with suppress(Exception):  # loading raises it again
            _ = family.loader


def _load(run: Run) -> Model:
    try:
        with naming_plugins(run.plugins):
            return load_model(run.weights, needs=run.task.needs, device=run.device, dtype=run.dtype)
    except CapabilityError as error:
        names = " or ".join(capability.__name__ for capability in run.task.needs)
        raise CapabilityError(f"{run.task.name} needs a {names}: {error}") from error
