"""The names of hub data on the command line, and the copy for a task."""

from harness.dataset import HubCopy
from harness.errors import MissingError
from harness.task import Task

# `--data hf`, `--data hf:REPOSITORY@REVISION`, or `--data hf:FOLDER` for a local copy.
PREFIX = "hf"


def copy_of(task: Task) -> HubCopy:
    """Return the copy for a task. Raises MissingError with the reason where none is usable."""
    if task.dataset.hub is None:
        raise MissingError(
            f"{task.name}: cannot come from the hub: {task.dataset.no_hub}; "
            "name a folder with --data DIR (`xvlm-eval fetch` downloads the open files)"
        )
    return task.dataset.hub


def is_hub(name: str) -> bool:
    """Return whether a `--data` value names the hub, not a folder."""
    return name == PREFIX or name.startswith(f"{PREFIX}:")
