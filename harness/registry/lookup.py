"""Where tasks are registered: in the package `tasks` beside `harness`, or by other packages."""

import sys
from collections.abc import Collection, Mapping
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from harness.checkpoints import normalise_name
from harness.errors import MissingError
from harness.plugins import Plugin, plugins


def own_tasks() -> Mapping[str, str]:
    """Return name -> `module:class` of the tasks of this project."""
    tasks: Mapping[str, str] = own_package("tasks").TASKS
    return tasks


def own_data_tasks() -> Mapping[str, str]:
    """Return name -> `module:class` of the tasks on data of the user's own, chosen by flag."""
    tasks: Mapping[str, str] = own_package("tasks").OWN_DATA_TASKS
    return tasks


def own_package(name: str) -> ModuleType:
    """Import the top-level package `name` that lies beside `harness`, even if sys.path has another.

    `tasks` is a common name: a user's own `tasks.py` may come first on sys.path. Raises
    MissingError if that one is imported already.
    """
    root = _resolve(__file__).parents[2]
    module = sys.modules.get(name)
    if module is None:
        spec = PathFinder.find_spec(name, [str(root)])
        if spec is None or spec.loader is None:
            raise MissingError(f"{root / name}: no such package; install xvlm-eval again")
        module = sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    folders = [_resolve(folder) for folder in getattr(module, "__path__", [])]
    if folders != [root / name]:
        raise MissingError(
            f"{module.__file__ or name}: shadows the package {name!r} of xvlm-eval in "
            f"{root / name}; rename it, or keep its folder out of PYTHONPATH and of the folder "
            "that Python is started in"
        )
    return module


@cache
def _resolve(path: str) -> Path:
    """Return a path without links; remembered, as tasks are looked up hundreds of times."""
    return Path(path).resolve()


def find_plugin(kind: str, name: str, own: Collection[str]) -> Plugin | None:
    """Return the plugin of a kind that registers a name; None for a name of this project."""
    wanted = normalise_name(name)
    if wanted in map(normalise_name, own):
        return None
    return next((p for p in plugins(kind) if normalise_name(p.name) == wanted), None)
