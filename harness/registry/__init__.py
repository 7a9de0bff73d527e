"""Find tasks and model families by name: those of this project, and those of other packages.

A package registers a task by an entry point of the group `xvlm_eval.tasks` (name -> subclass of
Task), and a model family by one of `xvlm_eval.models` (name -> a `harness.family.Family`, or a
function like `harness.models.xvlm.load.load`):

    [project.entry-points."xvlm_eval.tasks"]
    chess = "somebodys:Chess"

tasks.py      tasks, and their splits
families.py   model families, and models loaded by them
lookup.py     where both are registered
"""

from harness.registry.families import (
    describe,
    family_names,
    find_family,
    load_model,
    loadable_families,
    model_plugin,
)
from harness.registry.tasks import (
    ALL,
    find_split,
    find_splits,
    find_task,
    find_tasks,
    known_task,
    loadable_tasks,
    official_counts,
    splits_of,
    task_names,
    task_plugin,
    tasks_of,
    wants_all,
)

__all__ = [
    "ALL",
    "describe",
    "family_names",
    "find_family",
    "find_split",
    "find_splits",
    "find_task",
    "find_tasks",
    "known_task",
    "load_model",
    "loadable_families",
    "loadable_tasks",
    "model_plugin",
    "official_counts",
    "splits_of",
    "task_names",
    "task_plugin",
    "tasks_of",
    "wants_all",
]
