"""Find tasks and their splits by name."""

import re
from collections.abc import Sequence

from harness.checkpoints import normalise_name
from harness.dataset import Count
from harness.errors import HarnessError, MissingError, UsageError, first_line, nearest
from harness.family import imported
from harness.plugins import TASK, Plugin, heeding_interrupts, plugins
from harness.registry.lookup import find_plugin, own_data_tasks, own_tasks
from harness.task import Task

ALL = "all"  # stands for every task


def task_names() -> list[str]:
    """Return the names of all tasks, those of this project first."""
    return [*own_tasks(), *(plugin.name for plugin in plugins(TASK))]


def loadable_tasks() -> tuple[list[Task], list[str]]:
    """Return all tasks that can be used, and a sentence about each broken plugin."""
    tasks, broken = [find_task(name) for name in own_tasks()], []
    for plugin in plugins(TASK):
        try:
            if task_plugin(plugin.name) == plugin:
                tasks.append(_task_of(plugin))
            else:
                broken.append(f"{plugin}: another task has this name; uninstall one of the two")
        except MissingError as error:
            broken.append(str(error))
    return tasks, broken


def find_task(name: str) -> Task:
    """Return the task of a name, in which `_`, `-` and case do not matter.

    Raises UsageError that offers the nearest names, MissingError for a plugin that is broken.
    """
    wanted = normalise_name(name)
    for own_name, target in {**own_tasks(), **own_data_tasks()}.items():
        if normalise_name(own_name) == wanted:
            return imported(target)()
    if plugin := task_plugin(name):
        return _task_of(plugin)
    raise UsageError(f"there is no task {name!r}{nearest(name, task_names())}")


def known_task(name: str) -> Task | None:
    """Return the task of a stored result; None where it is not installed, or its plugin broken."""
    try:
        return find_task(name)
    except HarnessError:
        return None


def task_plugin(name: str) -> Plugin | None:
    """Return the plugin that registers a task; None for a task of this project."""
    return find_plugin(TASK, name, own=own_tasks())


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
        tasks = {task.name: task for task in loadable_tasks()[0] if not task.extra}
        names = [name for name in names if name.lower() != ALL]
    return list({**tasks, **{task.name: task for task in map(find_task, names)}}.values())


def wants_all(words: Sequence[str]) -> bool:
    """Return whether one of the words for tasks is `all`."""
    return any(name.lower() == ALL for name in _names(words))


def find_splits(task: Task, words: Sequence[str]) -> list[str]:
    """Return the splits of a task that `words` name, each once; all of them for no word."""
    splits = dict.fromkeys(find_split(task, name) for name in _names(words))
    if task.any_split and not splits:
        raise UsageError(f"{task.name}: name the data of your own by --annotations FILE")
    return list(splits) or list(task.splits)


def splits_of(tasks: Sequence[Task], words: Sequence[str], *, every: bool) -> dict[str, list[str]]:
    """Return the splits that `words` name, by task.

    With `every`, as for `--task all`, a task takes those of the names that it has; UsageError for a
    name that no task has. Otherwise each task has to have all of them: UsageError where one lacks a
    name.
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
    if task.any_split:
        return name
    for split in task.splits:
        if normalise_name(split) == normalise_name(name):
            return split
    raise UsageError(f"{task.name} has no split {name!r}{nearest(name, task.splits)}")


def official_counts() -> dict[str, dict[str, Count]]:
    """Return the official number of samples, by task and by split, in the order of the splits.

    It is a range (smallest, largest) where no exact number is published. Splits without any are
    left out.
    """
    counts: dict[str, dict[str, Count]] = {}
    for task in loadable_tasks()[0]:
        by_split = task.dataset.counts
        official = {
            split: by_split[split]["samples"]
            for split in task.splits
            if "samples" in by_split.get(split, {})
        }
        if official:
            counts[task.name] = official
    return counts


def tasks_of(offers: Sequence[type]) -> list[str]:
    """Return the names of the tasks that one of the capabilities can predict."""
    tasks, _ = loadable_tasks()
    return [task.name for task in tasks if set(task.needs) & set(offers)]


def _task_of(plugin: Plugin) -> Task:
    kind = plugin.load()
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise MissingError(f"{plugin}: {plugin.target} is not a subclass of harness.task.Task")
    with heeding_interrupts():
        try:
            task = kind()
        except BaseException as error:  # whatever a foreign constructor raises
            raise MissingError(
                f"{plugin}: {plugin.target} cannot be made without arguments "
                f"({type(error).__name__}: {first_line(error)})"
            ) from error
    if problem := _problem_of(task):
        raise MissingError(f"{plugin}: {plugin.target}: {problem}")
    return task


def _problem_of(task: object) -> str | None:
    """Return what is wrong with the attributes of another package's task, None if nothing is."""
    name, splits = getattr(task, "name", None), getattr(task, "splits", None)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w+.-]*", name):
        return (
            f"its name should consist of letters, digits, `_`, `+`, `.` and `-`, not {name!r:.80}"
        )
    if not isinstance(splits, tuple | list) or not all(isinstance(s, str) and s for s in splits):
        return f"its splits should be a tuple of names, not {splits!r:.80}"
    if not splits and not getattr(task, "any_split", False):
        return "it has no splits"
    if type(version := getattr(task, "version", None)) is not int:
        return f"its version should be a whole number, not {version!r:.80}"
    for attribute in ("primary", "protocol"):
        if not isinstance(value := getattr(task, attribute, None), str):
            return f"its {attribute} should be a text, not {value!r:.80}"
    needs = getattr(task, "needs", None)
    if not isinstance(needs, tuple | list) or not needs:
        return f"it needs no capability: needs should be a tuple of them, not {needs!r:.80}"
    return None


def _names(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.split(",") if name]
