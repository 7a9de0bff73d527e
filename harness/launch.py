"""From the words of a command line to runs: which tasks and splits, on which data, with which weights, and what is missing."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from harness.checkpoints import PAPER, SHAPES, Weights, checked_sha256, find_weights
from harness.errors import HarnessError, MissingError, UsageError
from harness.places import config_file, configured
from harness.registry import find_split, find_task, load_model, task_names
from harness.sources.folder import DataFolder, open_folder
from harness.task import Task

Report = Callable[[int, int], None]  # samples done, samples in all


@dataclass(frozen=True)
class Request:
    """What the user asked for, in the words of the flags; None where a flag was not given."""

    tasks: Sequence[str]
    splits: Sequence[str]
    checkpoint: str | None
    data: str | None
    out: Path
    limit: int | None
    batch_size: int
    device: str
    dtype: str
    workers: int
    fresh: bool


@dataclass(frozen=True)
class Plan:
    """The data, and for each task its splits and weights."""

    data: DataFolder
    parts: Sequence[tuple[Task, Sequence[str], Weights]]


def is_embedded(request: Request) -> bool:
    """Whether no data folder is configured, so that the embedded benchmark is run."""
    return configured("data", flag=request.data) is None


def embedded_notice(checkpoint: str | None) -> str:
    """Return the first line of an embedded run: what is evaluated, and how to evaluate on real data."""
    return (
        f"embedded benchmark: {checkpoint or SHAPES} on shapes, because no data folder is configured "
        f"(--data DIR, XVLM_EVAL_DATA, or `data: DIR` in {config_file()})"
    )


def make_plan(request: Request) -> Plan:
    """Resolve a request. Raises UsageError for unknown names, and MissingError naming every missing file with where to get it."""
    from harness.shapes.benchmark import embedded_data

    chosen = _tasks(request.tasks)
    splits = [_splits(task, request.splits) for task in chosen]
    root = configured("data", flag=request.data)
    checkpoint = request.checkpoint or (PAPER if root else SHAPES)
    data = open_folder(root) if root else embedded_data()
    parts: list[tuple[Task, Sequence[str], Weights]] = []
    missing: list[str] = []
    for task, wanted in zip(chosen, splits, strict=True):
        missing += [f"{data.root}/{needed}" for split in wanted for needed in data.missing(task.files(split))]
        try:
            parts.append((task, wanted, find_weights(checkpoint, task=task.name, data=root)))
        except MissingError as error:
            missing.append(str(error))
    if missing:
        lines = "\n".join(f"  {line}" for line in dict.fromkeys(missing))
        raise MissingError(f"{len(dict.fromkeys(missing))} things are missing:\n{lines}")
    return Plan(data, parts)


def carry_out(plan: Plan, request: Request, *, watch: Callable[[str], AbstractContextManager[Report]]) -> Iterator[Path]:
    """Yield the path of each record as soon as it is written. `watch` shows the progress of what it is given the name of."""
    from harness.evaluate import Run, evaluate

    for task, splits, weights in plan.parts:
        sha256 = checked_sha256(weights)
        try:
            model = load_model(weights, needs=task.needs, device=request.device, dtype=request.dtype)
        except HarnessError as error:
            raise type(error)(f"{task.name} needs a {task.needs.__name__}: {error}") from error
        checkpoint = {
            "name": weights.name,
            "registered": weights.registered,
            "file": weights.path.name,
            "sha256": sha256,
        }
        settings = {"dtype": request.dtype, "device": model.device}
        for split in splits:
            run = Run(task=task, split=split, data=plan.data, checkpoint=checkpoint, settings=settings, limit=request.limit)
            with watch(f"{weights.name} {task.name} {split}") as report:
                yield evaluate(
                    run,
                    model,
                    out=request.out,
                    batch_size=request.batch_size,
                    workers=request.workers,
                    fresh=request.fresh,
                    report=report,
                )


def default_workers() -> int:
    """Return how many threads decode images by default."""
    return min(4, os.cpu_count() or 1)


def _tasks(names: Sequence[str]) -> list[Task]:
    words = [word for name in names for word in name.split(",") if word]
    if any(word.lower() == "all" for word in words):
        words = task_names()
    if not words:
        raise UsageError("--task is needed: a name, several of them, or all")
    return list({task.name: task for task in map(find_task, words)}.values())


def _splits(task: Task, names: Sequence[str]) -> list[str]:
    words = [word for name in names for word in name.split(",") if word]
    return list(dict.fromkeys(find_split(task, word) for word in words)) or list(task.splits)
