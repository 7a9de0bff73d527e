"""Whether a run can succeed: the machine, the data and the weights, task by task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.checkpoints import find_entry, find_weights
from harness.data.resolve import Embedded, Hub, resolve_data
from harness.doctor.machine import FAILED, NOTE, OK, Check, check_machine
from harness.errors import CheckpointError, MissingError
from harness.family import Offering
from harness.files.paths import config_file, expanded
from harness.formats.folder import DataFolder, Needed, open_folder
from harness.registry import describe, loadable_tasks, tasks_of
from harness.rendering import Table, render, render_json
from harness.task import Task

NAMED = 3  # missing files of a task that are named
COLUMNS = {"name": "what", "state": "state", "found": "found"}


@dataclass(frozen=True)
class Diagnosis:
    """All checks; `ready` names the tasks that can be run now."""

    checks: Sequence[Check]
    ready: Sequence[str]

    @property
    def well(self) -> bool:
        """Whether a run can succeed: nothing failed, and some task has all it needs."""
        return bool(self.ready) and all(check.state != FAILED for check in self.checks)


def examine(*, data: str | None, checkpoint: str | None, online: bool) -> Diagnosis:
    """Check the machine, the data folder that a run would use, and the weights of each task.

    Raises UsageError for an unknown checkpoint.
    """
    checks = list(check_machine(online=online))
    source = resolve_data(data)
    hub = isinstance(source, Hub)
    try:
        folder = open_folder(source.folder) if source.folder else None
    except MissingError as error:
        remedy = "name a folder that exists, or none for the embedded benchmark"
        return Diagnosis([*checks, Check("data", FAILED, str(error), (remedy,))], ())
    nowhere = f" (no folder by --data, XVLM_EVAL_DATA or {config_file()})"
    checks.append(Check("data", OK, f"{source}{nowhere if isinstance(source, Embedded) else ''}"))
    chosen = checkpoint or source.default_checkpoint
    weights = _examine_weight_file(chosen)
    checks += weights.checks
    tasks = [_check_task(task, folder, chosen, weights, hub=hub) for task in loadable_tasks()[0]]
    return Diagnosis([*checks, *tasks], [check.name for check in tasks if check.state == OK])


class _WeightFile(NamedTuple):
    """A check of a weight file, and the tasks that its head can predict.

    Without a check for weights that are not a file, and with None for those that do not tell.
    """

    checks: Sequence[Check] = ()
    tasks: Sequence[str] | None = None


def _examine_weight_file(checkpoint: str) -> _WeightFile:
    """Return which tasks can use weights that are named by the path of a file."""
    path = expanded(checkpoint)
    if find_entry(checkpoint) is not None or not path.is_file():
        return _WeightFile()
    remedies = ("name other weights with --checkpoint",)
    try:
        description = describe(path)
    except CheckpointError as error:
        return _WeightFile([Check("weights", FAILED, str(error), remedies)])
    first, *_, last = description.sentences()
    if not description.fits:
        return _WeightFile([Check("weights", FAILED, last, remedies)])
    tasks = tasks_of(description.offers) if isinstance(description, Offering) else None
    return _WeightFile([Check("weights", OK, first)], tasks)


def _check_task(
    task: Task, folder: DataFolder | None, checkpoint: str, weights: _WeightFile, *, hub: bool
) -> Check:
    """Check that a task has its files, its environment and its weights."""
    entry = find_entry(checkpoint)
    lacks_entry = entry is not None and not {task.name, task.weights_of} & entry.files.keys()
    if lacks_entry or (weights.tasks is not None and task.name not in weights.tasks):
        finding = f"{entry.name if entry else checkpoint} has no weights for it"
        return Check(task.name, NOTE, finding, ("name others with --checkpoint",))
    lacking: list[str] = []
    remedies: list[str] = []
    needed = [file for split in task.splits for file in task.files(split)]
    by_path = {file.candidates[0]: file for file in (folder.missing(needed) if folder else ())}
    missing = list(by_path.values())  # one file may hold several splits
    if hub and task.dataset.hub is None:
        lacking.append("a copy on the hub")
        remedies.append(task.dataset.no_hub)
    if missing:
        lacking.append(f"{len(missing)} of its files")
        remedies += [_way_to_get(task, file) for file in missing[:NAMED]]
        if len(missing) > NAMED:
            remedies.append(
                f"and {len(missing) - NAMED} more: `xvlm-eval data --task {task.name}` names all"
            )
    try:
        task.check_environment()
    except MissingError:  # the check of the machine says more
        lacking.append("Java")
    try:
        root = folder.root if folder else None
        find_weights(checkpoint, task=task.name, data=root, like=task.weights_of)
    except MissingError as error:
        lacking.append("weights or vocabulary")
        remedies += error.items
    if lacking:
        return Check(task.name, NOTE, f"lacks {', '.join(lacking)}", tuple(remedies))
    return Check(task.name, OK, f"ready, with {checkpoint}")


def _way_to_get(task: Task, file: Needed) -> str:
    """Return a missing file of a task, and where to get it."""
    origin = task.dataset.origin_of(file.candidates)
    source = f"{file.source}{'; `xvlm-eval fetch` does it' if origin and origin.url else ''}"
    return f"missing {file.candidates[0]}: {file.description}; get it from {source}"


def render_diagnosis(diagnosis: Diagnosis, *, format: str) -> str:
    """Return a diagnosis as text: `terminal`, `md` or `json`."""
    checks = [
        {
            "name": check.name,
            "state": check.state,
            "found": check.finding,
            "remedies": list(check.remedies),
        }
        for check in diagnosis.checks
    ]
    if format == "json":
        return render_json(
            {"well": diagnosis.well, "ready": list(diagnosis.ready), "checks": checks}
        )
    names_by_remedy: dict[str, list[str]] = {}
    for check in diagnosis.checks:
        for remedy in check.remedies:
            names_by_remedy.setdefault(remedy, []).append(check.name)
    parts = [render([Table("xvlm-eval doctor", checks, COLUMNS)], format)]
    if names_by_remedy:
        lines = [f"  {', '.join(names)}: {remedy}" for remedy, names in names_by_remedy.items()]
        parts.append("\n".join(["What to do:", *lines]))
    verdict = (
        f"can be run: {', '.join(diagnosis.ready)}"
        if diagnosis.well
        else "no run can succeed; the table tells why"
    )
    return "\n\n".join([*parts, verdict])
