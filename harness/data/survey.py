"""The whole of what `xvlm-eval data` looks at: the files, the splits and, when asked, every image."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.callbacks import Progress
from harness.data.inventory import Inspection, inspect
from harness.data.resolve import resolve_data
from harness.data.verify import Misfit, verify
from harness.registry import find_splits, find_tasks

WORKERS = 4  # threads that decode images


@dataclass(frozen=True)
class Survey:
    """What was found; `misfits` None: the images were not decoded."""

    inspection: Inspection
    misfits: Sequence[Misfit] | None

    @property
    def sound(self) -> bool:
        """Whether a run on this folder has all it needs and, as far as was looked, all is right."""
        return self.inspection.sound and not self.misfits


def survey(
    tasks: Sequence[str],
    splits: Sequence[str],
    *,
    data: str | None,
    decode: bool,
    keep: bool,
    progress: Progress,
) -> Survey:
    """Look at what tasks (all where none is named) need, `decode` every image where that is asked for, and `keep` the samples.

    Raises UsageError for an unknown name, MissingError where there is no such folder.
    """
    wanted = [(task, find_splits(task, splits)) for task in find_tasks(tasks or ["all"])]
    by_task = {task.name: names for task, names in wanted}
    folder = resolve_data(data).open(by_task, progress=progress)
    with progress("files") as report:
        inspection = inspect(folder, wanted, report=report, keep=keep or decode)
    if not decode:
        return Survey(inspection, None)
    with progress("images") as report:
        return Survey(inspection, verify(inspection.read, workers=WORKERS, report=report))
