"""Find tasks and model families by name: the ones of this project, and those that other packages register as entry points.

A package adds a task with an entry point in the group `xvlm_eval.tasks` (name -> Task subclass), and a model family in `xvlm_eval.models`
(name -> function like `harness.models.xvlm.load.load`).
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import tasks
from harness.checkpoints import Weights, normalise_name
from harness.dataset import Count
from harness.errors import UsageError, nearest
from harness.task import Task

FAMILIES = {"xvlm": "harness.models.xvlm.load:load"}
DESCRIPTIONS = {"xvlm": "harness.models.xvlm.audit:audit"}  # what a family says of a weight file


class Description(Protocol):
    """What a weight file holds, and whether it can be evaluated."""

    @property
    def fits(self) -> bool: ...
    def as_json(self) -> Mapping[str, Any]:
        """Return everything in JSON's types, for machines."""
        ...

    def sentences(self) -> Sequence[str]:
        """Return everything in sentences, for people."""
        ...


Loader = Callable[
    ..., Any
]  # (weights: Weights, needs: type, device: str, dtype: str) -> a model with that capability


def task_names() -> list[str]:
    """Return the names of all tasks, ours first."""
    return [*tasks.TASKS, *(point.name for point in entry_points(group="xvlm_eval.tasks"))]


def find_task(name: str) -> Task:
    """Return the task of a name; `_`, `-` and case do not matter. Raises UsageError that offers the nearest names."""
    wanted = normalise_name(name)
    for known, target in tasks.TASKS.items():
        if normalise_name(known) == wanted:
            return _imported(target)()
    for point in entry_points(group="xvlm_eval.tasks"):
        if normalise_name(point.name) == wanted:
            return point.load()()
    raise UsageError(f"there is no task {name!r}{nearest(name, task_names())}")


def find_tasks(names: Sequence[str]) -> list[Task]:
    """Return the tasks of these words, each once: names, several in one word (`a,b`), or `all`. Raises UsageError where there are none."""
    words = [word for name in names for word in name.split(",") if word]
    if any(word.lower() == "all" for word in words):
        words = task_names()
    if not words:
        raise UsageError("--task is needed: a name, several of them, or all")
    return list({task.name: task for task in map(find_task, words)}.values())


def find_splits(task: Task, names: Sequence[str]) -> list[str]:
    """Return the splits of these words, each once; all of the task's where there are none."""
    words = [word for name in names for word in name.split(",") if word]
    return list(dict.fromkeys(find_split(task, word) for word in words)) or list(task.splits)


def find_split(task: Task, name: str) -> str:
    """Return a split of a task by name; `_`, `-` and case do not matter."""
    for split in task.splits:
        if normalise_name(split) == normalise_name(name):
            return split
    raise UsageError(f"{task.name} has no split {name!r}{nearest(name, task.splits)}")


def official_counts() -> dict[str, dict[str, Count]]:
    """Return the official number of samples, by task and by split, in the order of the splits.

    It is a range (smallest, largest) where no more is published; splits without any are left out.
    """
    counts: dict[str, dict[str, Count]] = {}
    for task in map(find_task, task_names()):
        by_split = task.dataset.counts
        official = {
            split: by_split[split]["samples"]
            for split in task.splits
            if "samples" in by_split.get(split, {})
        }
        if official:
            counts[task.name] = official
    return counts


def load_model(weights: Weights, *, needs: type, device: str, dtype: str) -> Any:
    """Load weights as a model with the capability `needs`. Raises CheckpointError where they cannot be."""
    if weights.family in FAMILIES:
        load: Loader = _imported(FAMILIES[weights.family])
    else:
        found: Sequence[Any] = [
            point
            for point in entry_points(group="xvlm_eval.models")
            if point.name == weights.family
        ]
        if not found:
            raise UsageError(
                f"{weights.name}: no package registers the model family {weights.family!r}"
            )
        load = found[0].load()
    return load(weights, needs=needs, device=device, dtype=dtype)


def describe(path: Path, *, family: str = "xvlm") -> Description:
    """Say what a weight file holds. Raises CheckpointError for a file that is no checkpoint of the family at all."""
    return _imported(DESCRIPTIONS[family])(path)


def _imported(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)
