"""From the words of a command line to a plan: names looked up, files found, a list of runs.

    request = Request(tasks=["refcoco+"], data=resolve_data(None), ...)
    plan = make_plan(request)

Nothing is loaded before everything is known to be there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.callbacks import Progress, no_progress
from harness.checkpoints import Given, Weights, find_entry, find_weights
from harness.data.resolve import DataSource, Embedded, Hub
from harness.errors import CapabilityError, MissingError
from harness.files.paths import config_file
from harness.images import STRICT
from harness.registry import find_family, find_tasks, loadable_tasks, splits_of, wants_all
from harness.running.plugin_tasks import leave_out_plugins_without_files
from harness.running.run import Run, Speed
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
    notes: Sequence[str]
    trials: Trials


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
        tasks, notes = leave_out_plugins_without_files(tasks, request.tasks, splits, request.data)
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


def _find_tasks(request: Request) -> list[Task]:
    """Return the tasks of a request.

    Of `all`, those that an entry of checkpoints.yaml has weights for, or that the family of other
    weights can predict. Raises CapabilityError for a task that is named and cannot be predicted.
    """
    tasks, every = find_tasks(request.tasks), wants_all(request.tasks)
    entry = find_entry(request.chosen_checkpoint)
    if entry is not None:
        return [task for task in tasks if task.name in entry.files] if every else tasks
    family = find_family((request.given or Given()).family)
    offered = set(family.offers)
    able = [task for task in tasks if not offered or offered & set(task.needs)]
    if able and (every or len(able) == len(tasks)):
        return able
    reasons = [
        f"{task.name} needs one of {', '.join(needed.__name__ for needed in task.needs)}"
        for task in tasks
        if task not in able
    ]
    names = ", ".join(capability.__name__ for capability in family.offers)
    raise CapabilityError(
        f"{request.chosen_checkpoint}: {family.title} offers {names}, but {'; '.join(reasons)}"
    )
