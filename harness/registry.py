"""Find tasks and model families by name: those of this project, and those of other packages.

A package registers a task by an entry point of the group `xvlm_eval.tasks` (name -> subclass of
Task), and a model family by one of `xvlm_eval.models` (name -> a `harness.family.Family`, or a
function like `harness.models.xvlm.load.load`):

    [project.entry-points."xvlm_eval.tasks"]
    chess = "somebodys:Chess"
"""

import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.checkpoints import Weights, normalise_name
from harness.dataset import Count
from harness.errors import CapabilityError, MissingError, UsageError, nearest
from harness.family import Description, Family, imported
from harness.models.families import FAMILIES
from harness.task import Task

ALL = "all"  # stands for every task


def task_names() -> list[str]:
    """Return the names of all tasks, those of this project first."""
    return [*_own_tasks(), *(point.name for point in entry_points(group="xvlm_eval.tasks"))]


def find_task(name: str) -> Task:
    """Return the task of a name, in which `_`, `-` and case do not matter.

    Raises UsageError that offers the nearest names.
    """
    wanted = normalise_name(name)
    for own_name, target in _own_tasks().items():
        if normalise_name(own_name) == wanted:
            return imported(target)()
    for point in entry_points(group="xvlm_eval.tasks"):
        if normalise_name(point.name) == wanted:
            return point.load()()
    raise UsageError(f"there is no task {name!r}{nearest(name, task_names())}")


def find_tasks(words: Sequence[str]) -> list[Task]:
    """Return the tasks that `words` name, each once: `a`, `a,b` or `all`.

    `all` leaves out `extra` tasks, which can be named beside it. Raises UsageError where the words
    name none.
    """
    names = _names(words)
    if not names:
        raise UsageError("--task is needed: a name, several of them, or all")
    tasks: dict[str, Task] = {}
    if wants_all(words):
        tasks = {task.name: task for task in map(find_task, task_names()) if not task.extra}
        names = [name for name in names if name.lower() != ALL]
    return list({**tasks, **{task.name: task for task in map(find_task, names)}}.values())


def wants_all(words: Sequence[str]) -> bool:
    """Return whether one of the words for tasks is `all`."""
    return any(name.lower() == ALL for name in _names(words))


def find_splits(task: Task, words: Sequence[str]) -> list[str]:
    """Return the splits of a task that `words` name, each once; all of them for no word."""
    splits = dict.fromkeys(find_split(task, name) for name in _names(words))
    return list(splits) or list(task.splits)


def splits_of(tasks: Sequence[Task], words: Sequence[str], *, every: bool) -> dict[str, list[str]]:
    """Return the splits by task that `words` name; of `every` task, those that it has.

    Raises UsageError for a name that none of the tasks has; unless `every`, that one of them lacks.
    """
    if not every:
        return {task.name: find_splits(task, words) for task in tasks}
    names = {normalise_name(name): name for name in _names(words)}
    own = {task.name: {normalise_name(split): split for split in task.splits} for task in tasks}
    for wanted, name in names.items():
        if not any(wanted in splits for splits in own.values()):
            known = {split for task in tasks for split in task.splits}
            raise UsageError(f"no task has a split {name!r}{nearest(name, known)}")
    return {
        task: chosen
        for task, splits in own.items()
        if (chosen := [splits[wanted] for wanted in names or splits if wanted in splits])
    }


def find_split(task: Task, name: str) -> str:
    """Return the split of a name, in which `_`, `-` and case do not matter.

    Raises UsageError that offers the nearest names.
    """
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


def family_names() -> list[str]:
    """Return the names of all model families, those of this project first."""
    return [*FAMILIES, *(point.name for point in entry_points(group="xvlm_eval.models"))]


def find_family(name: str) -> Family:
    """Return the model family of a name, in which `_`, `-` and case do not matter.

    A function behind an entry point is a family that says nothing about itself but how to load.
    Raises UsageError that offers the nearest names.
    """
    wanted = normalise_name(name)
    for own_name, family in FAMILIES.items():
        if normalise_name(own_name) == wanted:
            return family
    for point in entry_points(group="xvlm_eval.models"):
        if normalise_name(point.name) == wanted:
            loaded = point.load()
            return loaded if isinstance(loaded, Family) else Family(point.name, (), loaded)
    raise UsageError(
        f"no package registers the model family {name!r}{nearest(name, family_names())}"
    )


def load_model(weights: Weights, *, needs: Sequence[type], device: str, dtype: str) -> Any:
    """Load weights as a model with the first of the capabilities `needs` that they have.

    Raises UsageError for an unknown family, CapabilityError where the weights have none of them,
    CheckpointError for weights that cannot be used.
    """
    family = find_family(weights.family)
    if family.offers and not set(needs) & set(family.offers):
        offered = ", ".join(capability.__name__ for capability in family.offers)
        wanted = " or ".join(capability.__name__ for capability in needs)
        raise CapabilityError(f"{weights.name}: {family.title} offers {offered}, but no {wanted}")
    reasons: list[str] = []
    for capability in needs:
        if family.offers and capability not in family.offers:
            continue
        try:
            return family.loader(weights, needs=capability, device=device, dtype=dtype)
        except CapabilityError as error:
            reasons.append(str(error))
    raise CapabilityError("; ".join(reasons))


def describe(path: Path, *, family: str = "xvlm") -> Description:
    """Describe a weight file.

    Raises CheckpointError for a file that is not a checkpoint of the family at all, UsageError for
    a family that describes none.
    """
    describer = find_family(family).describer
    if describer is None:
        raise UsageError(
            f"the model family {family!r} does not describe weights; `xvlm-eval run --model "
            f"{family} --checkpoint {path} --limit 1` shows whether they can be evaluated"
        )
    return describer(path)


def tasks_of(offers: Sequence[type]) -> list[str]:
    """Return the names of the tasks that one of the capabilities can predict."""
    tasks = map(find_task, task_names())
    return [task.name for task in tasks if set(task.needs) & set(offers)]


def _names(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.split(",") if name]


def _own_tasks() -> Mapping[str, str]:
    """Return name -> `module:class` of the tasks of this project."""
    tasks: Mapping[str, str] = own_package("tasks").TASKS
    return tasks


def own_package(name: str) -> ModuleType:
    """Import the top-level package `name` that lies beside `harness`, even if sys.path has another.

    `tasks` is a common name: a user's own `tasks.py` may come first on sys.path. Raises
    MissingError if that one is imported already.
    """
    root = Path(__file__).resolve().parents[1]
    module = sys.modules.get(name)
    if module is None:
        spec = PathFinder.find_spec(name, [str(root)])
        if spec is None or spec.loader is None:
            raise MissingError(f"{root / name}: no such package; install xvlm-eval again")
        module = sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    folders = [Path(folder).resolve() for folder in getattr(module, "__path__", [])]
    if folders != [root / name]:
        raise MissingError(
            f"{module.__file__ or name}: shadows the package {name!r} of xvlm-eval in "
            f"{root / name}; rename it, or keep its folder out of PYTHONPATH and of the folder "
            "that Python is started in"
        )
    return module
