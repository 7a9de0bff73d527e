"""Find tasks and model families by name: those of this project, and those of other packages.

A package registers a task by an entry point of the group `xvlm_eval.tasks` (name -> subclass of
Task), and a model family by one of `xvlm_eval.models` (name -> a `harness.family.Family`, or a
function like `harness.models.xvlm.load.load`):

    [project.entry-points."xvlm_eval.tasks"]
    chess = "somebodys:Chess"
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from harness.capabilities import Model
from harness.checkpoints import Weights, normalise_name
from harness.dataset import Count
from harness.errors import CapabilityError, MissingError, UsageError, nearest
from harness.family import Description, Family, imported
from harness.models.families import FAMILIES
from harness.plugin_models import load_from_plugin
from harness.plugins import MODEL, TASK, Plugin, first_line, plugins, task_problem
from harness.task import Task

ALL = "all"  # stands for every task


def task_names() -> list[str]:
    """Return the names of all tasks, those of this project first."""
    return [*_own_tasks(), *(plugin.name for plugin in plugins(TASK))]


def loadable_tasks() -> tuple[list[Task], list[str]]:
    """Return all tasks, and why those of other packages that cannot be imported are missing."""
    tasks, broken = [find_task(name) for name in _own_tasks()], []
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
    for own_name, target in {**_own_tasks(), **_own_data_tasks()}.items():
        if normalise_name(own_name) == wanted:
            return imported(target)()
    if plugin := task_plugin(name):
        return _task_of(plugin)
    raise UsageError(f"there is no task {name!r}{nearest(name, task_names())}")


def task_plugin(name: str) -> Plugin | None:
    """Return the plugin that registers a task; None for a task of this project."""
    return _plugin(TASK, name, own=_own_tasks())


def model_plugin(name: str) -> Plugin | None:
    """Return the plugin that registers a model family; None for a family of this project."""
    return _plugin(MODEL, name, own=FAMILIES)


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
    if task.any_split:
        return name
    for split in task.splits:
        if normalise_name(split) == normalise_name(name):
            return split
    raise UsageError(f"{task.name} has no split {name!r}{nearest(name, task.splits)}")


def official_counts() -> dict[str, dict[str, Count]]:
    """Return the official number of samples, by task and by split, in the order of the splits.

    It is a range (smallest, largest) where no more is published; splits without any are left out.
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


def family_names() -> list[str]:
    """Return the names of all model families, those of this project first."""
    return [*FAMILIES, *(plugin.name for plugin in plugins(MODEL))]


def loadable_families() -> tuple[dict[str, Family], list[str]]:
    """Return all model families, and why those of other packages that are broken are missing."""
    families, broken = dict(FAMILIES), []
    for plugin in plugins(MODEL):
        try:
            if model_plugin(plugin.name) == plugin:
                families[plugin.name] = _family_of(plugin)
            else:
                broken.append(f"{plugin}: another family has this name; uninstall one of the two")
        except MissingError as error:
            broken.append(str(error))
    return families, broken


def find_family(name: str) -> Family:
    """Return the model family of a name, in which `_`, `-` and case do not matter.

    A function behind an entry point is a family that says nothing about itself but how to load.
    Raises UsageError that offers the nearest names, MissingError for a plugin that is broken.
    """
    wanted = normalise_name(name)
    for own_name, family in FAMILIES.items():
        if normalise_name(own_name) == wanted:
            return family
    if plugin := model_plugin(name):
        return _family_of(plugin)
    raise UsageError(
        f"no package registers the model family {name!r}{nearest(name, family_names())}"
    )


def load_model(weights: Weights, *, needs: Sequence[type], device: str, dtype: str) -> Model:
    """Load weights as a model with the first of the capabilities `needs` that they have.

    Raises UsageError for an unknown family, CapabilityError where the weights have none of them,
    CheckpointError for weights that cannot be used, PluginError for a plugin that loads something
    else than such a model.
    """
    family, plugin = find_family(weights.family), model_plugin(weights.family)
    if family.offers and not set(needs) & set(family.offers):
        offered = ", ".join(capability.__name__ for capability in family.offers)
        wanted = " or ".join(capability.__name__ for capability in needs)
        raise CapabilityError(f"{weights.name}: {family.title} offers {offered}, but no {wanted}")
    reasons: list[str] = []
    for capability in needs:
        if family.offers and capability not in family.offers:
            continue
        try:
            if plugin is None:
                return family.loader(weights, needs=capability, device=device, dtype=dtype)
            return load_from_plugin(
                plugin, family, weights, needs=capability, device=device, dtype=dtype
            )
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


def _plugin(kind: str, name: str, own: Collection[str]) -> Plugin | None:
    wanted = normalise_name(name)
    if wanted in map(normalise_name, own):
        return None
    return next((p for p in plugins(kind) if normalise_name(p.name) == wanted), None)


def _task_of(plugin: Plugin) -> Task:
    kind = plugin.load()
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise MissingError(f"{plugin}: {plugin.target} is no subclass of harness.task.Task")
    try:
        task = kind()
    except Exception as error:  # whatever a foreign constructor raises
        raise MissingError(
            f"{plugin}: {plugin.target} cannot be made without arguments "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error
    if problem := task_problem(task):
        raise MissingError(f"{plugin}: {plugin.target}: {problem}")
    return task


def _family_of(plugin: Plugin) -> Family:
    loaded = plugin.load()
    if not isinstance(loaded, Family) and not callable(loaded):
        raise MissingError(
            f"{plugin}: {plugin.target} is neither a harness.family.Family nor a function that "
            "loads weights"
        )
    return loaded if isinstance(loaded, Family) else Family(plugin.name, (), loaded)


def tasks_of(offers: Sequence[type]) -> list[str]:
    """Return the names of the tasks that one of the capabilities can predict."""
    tasks, _ = loadable_tasks()
    return [task.name for task in tasks if set(task.needs) & set(offers)]


def _names(words: Sequence[str]) -> list[str]:
    return [name for word in words for name in word.split(",") if name]


def _own_tasks() -> Mapping[str, str]:
    """Return name -> `module:class` of the tasks of this project."""
    tasks: Mapping[str, str] = own_package("tasks").TASKS
    return tasks


def _own_data_tasks() -> Mapping[str, str]:
    """Return name -> `module:class` of the tasks on data of the user's own, never named by him."""
    tasks: Mapping[str, str] = own_package("tasks").OWN_DATA_TASKS
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
