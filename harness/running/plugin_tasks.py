"""Tasks of other packages, where all tasks are evaluated on the embedded benchmark."""

from collections.abc import Mapping, Sequence

from harness.callbacks import no_progress
from harness.checkpoints import normalise_name
from harness.data.resolve import Embedded
from harness.registry import task_plugin
from harness.running.plugin_errors import naming_plugins
from harness.task import Task


def leave_out_plugins_without_files(
    tasks: Sequence[Task],
    words: Sequence[str],
    splits: Mapping[str, Sequence[str]],
    source: Embedded,
) -> tuple[list[Task], dict[str, str]]:
    """Return the tasks that `words` name with `all`, and why others are left out, by name.

    The embedded benchmark has files for the tasks of this project. A task of another package that
    lacks some is left out; named itself beside `all`, it stays, and its files are missing.
    """
    kept, notes = list(tasks), dict[str, str]()
    named = {normalise_name(name) for word in words for name in word.split(",")}
    data = source.open(splits, progress=no_progress)
    for task in tasks:
        plugin = task_plugin(task.name)
        if plugin is None or normalise_name(task.name) in named:
            continue
        with naming_plugins([plugin]):
            missing = [
                needed for split in splits[task.name] for needed in data.missing(task.files(split))
            ]
        if missing:
            kept.remove(task)
            notes[task.name] = (
                f"left out: {plugin}: the embedded benchmark has no files for it ({missing[0]}); "
                "give it --data DIR"
            )
    return kept, notes
