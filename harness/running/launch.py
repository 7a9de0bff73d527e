"""From the words of a command line to runs: which tasks and splits, on which data, with which weights, and what is missing."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.callbacks import Progress, Report, Warn, no_progress
from harness.checkpoints import PAPER, SHAPES, Weights, find_entry, find_weights
from harness.data.hub.copies import is_hub
from harness.data.resolve import resolve_data
from harness.errors import CapabilityError, MissingError
from harness.files.paths import config_file, resolve_setting
from harness.formats.folder import DataFolder
from harness.registry import find_splits, find_tasks, load_model, task_names
from harness.running.distributed import ProcessGroup, SingleProcess, started_by_torchrun
from harness.running.evaluate import Outcome, Run, evaluate, subset
from harness.running.forecast import Forecast, forecast
from harness.running.pinned import pin_on_first_use, verified_sha256
from harness.running.predict import Speed
from harness.task import Task


@dataclass(frozen=True)
class Request:
    """What the user asked for, in the words of the flags; None where a flag was not given."""

    tasks: Sequence[str]
    splits: Sequence[str]
    checkpoint: str | None
    data: str | None
    out: Path
    limit: int | None
    batch_size: int | None
    device: str
    dtype: str
    workers: int
    fresh: bool
    skip: bool = False


@dataclass(frozen=True)
class Part:
    """One task on some of its splits, with the weights for it."""

    task: Task
    splits: Sequence[str]
    weights: Weights


@dataclass(frozen=True)
class Plan:
    """What will be run, on which data; of `all` tasks, those that the checkpoint was not released for are `left_out`."""

    data: DataFolder
    parts: Sequence[Part]
    left_out: Sequence[str]


def notice(request: Request) -> str:
    """Return the first line of a run: which data and which weights; and for the embedded benchmark, how to evaluate on real data."""
    words = resolve_setting("data", flag=request.data)
    if words is not None:
        return f"data of {words}, evaluated with {request.checkpoint or PAPER}"
    return (
        f"embedded benchmark: {request.checkpoint or SHAPES} on shapes, because no data folder is configured "
        f"(--data DIR, XVLM_EVAL_DATA, or `data: DIR` in {config_file()})"
    )


def make_plan(request: Request, *, progress: Progress = no_progress) -> Plan:
    """Resolve a request. Raises UsageError for unknown names, and MissingError naming every missing file with where to get it."""
    words = resolve_setting("data", flag=request.data)
    hub = words is not None and is_hub(words)
    checkpoint = request.checkpoint or (PAPER if words else SHAPES)
    tasks, left_out = _tasks(request.tasks, checkpoint)
    splits = {task.name: find_splits(task, request.splits) for task in tasks}
    parts: list[Part] = []
    lacking: dict[str, None] = {}
    for task in tasks:
        try:
            task.check_environment()
        except MissingError as error:
            lacking |= {str(error): None}
        try:
            weights = find_weights(
                checkpoint,
                task=task.name,
                data=Path(words).expanduser() if words and not hub else None,
            )
            parts.append(Part(task, splits[task.name], weights))
        except MissingError as error:
            lacking |= dict.fromkeys(str(error).splitlines())
    if lacking and hub:
        raise _missing(lacking)  # before gigabytes are read for nothing
    data = resolve_data(request.data, splits, progress=progress)
    files = [
        needed
        for task in tasks
        for split in splits[task.name]
        for needed in data.missing(task.files(split))
    ]
    if missing := {f"{data.root}/{needed}": None for needed in files} | lacking:
        raise _missing(missing)
    return Plan(data, parts, left_out)


def _missing(what: Iterable[str]) -> MissingError:
    lines = list(what)
    return MissingError("\n  ".join([f"missing ({len(lines)}):", *lines]))


def join() -> AbstractContextManager[ProcessGroup]:
    """Join the other processes of this run, where torchrun started several."""
    if not started_by_torchrun():
        return nullcontext(SingleProcess())
    from harness.running.torchrun import joined  # imports torch: not before it is needed

    return joined()


def agree_on_plan(request: Request, group: ProcessGroup, *, progress: Progress) -> Plan:
    """Return `make_plan`'s plan, the first process before the others: it may have to write the embedded benchmark, or data from the hub."""
    if group.rank == 0:
        plan = make_plan(request, progress=progress)
        group.all_gather(None)
        return plan
    group.all_gather(None)
    return make_plan(request)


def carry_out(
    plan: Plan,
    request: Request,
    group: ProcessGroup,
    *,
    progress: Callable[[str], AbstractContextManager[Report]],
    warn: Warn,
) -> Iterator[Outcome]:
    """Yield each outcome as soon as it is there, in the first process.

    `watch` shows the progress of what it is given the name of; `tell` says what else the user should know.
    """
    speed = Speed(batch_size=request.batch_size, workers=request.workers)
    for part in plan.parts:
        sha256 = verified_sha256(part.weights)
        model = _loaded(part, request)
        if group.rank == 0:
            pin_on_first_use(part.weights, sha256)
        name = part.weights.name
        checkpoint = {
            "name": name,
            "registered": part.weights.release is not None,
            "file": part.weights.path.name,
            "sha256": sha256,
        }
        settings = {"dtype": request.dtype, "device": model.device}
        for split in part.splits:
            run = Run(
                part.task,
                split,
                plan.data,
                checkpoint,
                settings,
                limit=request.limit,
                skip=request.skip,
            )
            with progress(f"{name} {part.task.name} {split}") as report:
                outcome = evaluate(
                    run,
                    model,
                    out=request.out,
                    speed=speed,
                    fresh=request.fresh,
                    report=report,
                    warn=warn,
                    group=group,
                )
            if outcome is not None:
                yield outcome


def foresee(plan: Plan, request: Request) -> Iterator[Forecast]:
    """Yield what each run of a plan will take on one process, from its beginning; predicts a few samples, writes nothing."""
    speed = Speed(batch_size=request.batch_size, workers=request.workers)
    for part in plan.parts:
        verified_sha256(part.weights)
        model = _loaded(part, request)
        for split in part.splits:
            samples = part.task.load(plan.data, split)
            samples = samples if request.limit is None else subset(samples, request.limit)
            yield forecast(part.task, split, model, samples, speed=speed)


def default_workers() -> int:
    """Return how many threads decode images by default: a GPU waits for fewer, and a CPU has them decode next to nothing."""
    return min(16, os.cpu_count() or 1)


def _loaded(part: Part, request: Request) -> Any:
    try:
        return load_model(
            part.weights, needs=part.task.needs, device=request.device, dtype=request.dtype
        )
    except CapabilityError as error:
        raise CapabilityError(
            f"{part.task.name} needs a {part.task.needs.__name__}: {error}"
        ) from error


class _Tasks(NamedTuple):
    chosen: list[Task]
    left_out: list[str]


def _tasks(names: Sequence[str], checkpoint: str) -> _Tasks:
    """Return the tasks asked for. `all` are those that an entry of checkpoints.yaml has weights for; a file by path may be for any."""
    words = [word for name in names for word in name.split(",") if word]
    left_out: list[str] = []
    if any(word.lower() == "all" for word in words):
        entry = find_entry(checkpoint)
        words = [name for name in task_names() if entry is None or name in entry.files]
        left_out = [name for name in task_names() if name not in words]
    return _Tasks(find_tasks(words), left_out)
