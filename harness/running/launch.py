"""Carry out the runs of a plan: models loaded, annotations read beside them, one run after another.

for outcome in run_all(plan, SingleProcess(), progress=no_progress, warn=print):
    print(outcome.record)
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import groupby

from harness.callbacks import Progress, Warn
from harness.capabilities import Model
from harness.errors import CapabilityError, CheckpointError, HarnessError, one_of
from harness.files.reads import file_state
from harness.images import decoding
from harness.registry import find_family, load_model
from harness.running.ahead import ReadAhead, sharing_the_lock
from harness.running.context import Context
from harness.running.decoding.choice import wants_processes
from harness.running.evaluate import evaluate
from harness.running.forecast import Forecast, forecast
from harness.running.next_run import NextRun, wants_next_run
from harness.running.pinned import pin_on_first_use, verified_sha256
from harness.running.planning import Plan, Request, make_plan
from harness.running.plugin_errors import naming_plugins
from harness.running.processes.distributed import ProcessGroup, SingleProcess, started_by_torchrun
from harness.running.run import Outcome, Run
from harness.running.source import WHEN_NEEDED, Source
from harness.running.subset import subset
from harness.running.trials import Trials
from harness.task import without_garbage_collection


def process_group() -> AbstractContextManager[ProcessGroup]:
    """Join the other processes of this run, where torchrun started several."""
    if not started_by_torchrun():
        return nullcontext(SingleProcess())
    # Imported here: it imports torch, which a run on missing data never needs.
    from harness.running.processes.torchrun import joined

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
    with _reading_ahead(plan.runs, group) as ahead, NextRun(plan.runs, group, ahead) as next_run:
        for run, model in _with_models(plan.runs, group, ahead):
            with next_run.source(run, model) as source:
                outcome = carry_out(
                    run,
                    model,
                    group,
                    progress=progress,
                    warn=warn,
                    trials=plan.trials,
                    source=source,
                )
            del model, source  # a model of another task takes their memory
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
        return evaluate(run, model, Context(group, report, warn, source))


def forecast_all(plan: Plan) -> Iterator[Forecast]:
    """Yield what each run of a plan will take on one process; predicts a little, writes nothing."""
    group = SingleProcess()
    with _reading_ahead(plan.runs, group) as ahead:
        for run, model in _with_models(plan.runs, group, ahead):
            with decoding(run.images), naming_plugins(run.plugins):
                samples = ahead.samples(run)
                samples = samples if run.limit is None else subset(samples, run.limit)
                expected = forecast(run.task, run.split, model, samples, speed=run.speed)
            del model  # one of another task takes its memory
            yield expected
    plan.trials.wait()


def default_workers() -> int:
    """Return the default number of threads that decode images: one per core, at most 16.

    Cores are those that this process may use, of which Slurm or Docker may give fewer than the
    machine has. A GPU keeps no more than 16 threads busy; beside a model on the CPU, decoding takes
    next to nothing.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(16, usable or 1)


def _reading_ahead(runs: Sequence[Run], group: ProcessGroup) -> ReadAhead:
    wants_processes()  # both refuse wrong settings, before anything is loaded
    wants_next_run()
    return ReadAhead(runs, group, hash=verified_sha256)


def _with_models(
    runs: Sequence[Run], group: ProcessGroup, ahead: ReadAhead
) -> Iterator[tuple[Run, Model]]:
    """Yield each run, its `sha256` filled in, with its model; one model for all runs of a task.

    The annotations that the splits of a task have in common are read once, those of the first one
    while the model is loaded. The model of the task before is gone by then, unless a caller keeps
    it.
    """
    for number, (_, of_task) in enumerate(groupby(runs, key=lambda run: run.task.name)):
        first, *others = of_task
        if number:
            gc.collect()  # models keep themselves in memory by cycles
        with ahead.reading(first), decoding(first.images), ExitStack() as stack:
            with without_garbage_collection():
                sha256, model = _load_and_hash(first, group, ahead)
                ahead.wait_for_samples(first)
                stack.enter_context(keeping_from_collection())
            for run in (first, *others):
                yield replace(run, sha256=sha256), model
            del model


@contextmanager
def keeping_from_collection() -> Iterator[None]:
    """Keep the garbage collector from searching what is there, for the length of a block.

    It would search modules, weights and hundreds of thousands of samples for cycles in vain. A
    caller that keeps objects from it keeps them so: Python can only release all of them at once.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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
        names = one_of(capability.__name__ for capability in run.task.needs)
        raise CapabilityError(f"{run.task.name} needs {names}: {error}") from error
