"""Whether a run can succeed: the machine, the data and the weights, task by task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.callbacks import no_progress
from harness.checkpoints import Given, find_entry, find_weights
from harness.data.own import OwnFiles
from harness.data.resolve import DataSource, Embedded, Folder, Hub
from harness.doctor.machine import FAILED, NOTE, OK, Check, check_machine
from harness.errors import CheckpointError, MissingError, UsageError
from harness.family import Offering
from harness.files.paths import config_file, expanded
from harness.formats.folder import DataFolder, Needed
from harness.registry import describe, find_family, find_tasks, loadable_tasks, tasks_of
from harness.rendering import Table, render, render_json
from harness.task import Task

XVLM = Given().family
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


def examine(
    source: DataSource,
    *,
    checkpoint: str | None,
    online: bool,
    model: str | None = None,
    tasks: Sequence[str] = (),
) -> Diagnosis:
    """Check the machine, the data that a run would use, and the weights of each task.

    `model` names the family of weights that no entry describes; without `tasks`, all are checked.
    Raises UsageError for an unknown checkpoint, family or task.
    """
    chosen_tasks = find_tasks(tasks) if tasks else loadable_tasks()[0]
    given = _given(checkpoint, model)
    checks = list(check_machine(online=online))
    try:
        folder = _open(source)
    except MissingError as error:
        remedy = "name data that exist, or none for the embedded benchmark"
        found = [Check("data", FAILED, item, (remedy,)) for item in error.items]
        return Diagnosis([*checks, *found], ())
    nowhere = f" (no folder by --data, XVLM_EVAL_DATA or {config_file()})"
    checks.append(Check("data", OK, f"{source}{nowhere if isinstance(source, Embedded) else ''}"))
    weights = _examine_weights(checkpoint or source.default_checkpoint, given)
    checks += weights.checks
    found = [_check_task(task, source, folder, weights) for task in chosen_tasks]
    return Diagnosis([*checks, *found], [check.name for check in found if check.state == OK])


def _open(source: DataSource) -> DataFolder | None:
    """Return the folder of a user's data; None for those that are written on first use."""
    return source.open({}, progress=no_progress) if isinstance(source, Folder | OwnFiles) else None


def _given(checkpoint: str | None, model: str | None) -> Given:
    """Return what the user says of weights that no entry describes; by default, X-VLM's."""
    if model and (checkpoint is None or find_entry(checkpoint) is not None):
        raise UsageError(
            f"--model {model}: is about weights of your own; name them by --checkpoint FILE"
        )
    name = model or XVLM
    return Given(name, find_family(name).vocabulary)


class _Weights(NamedTuple):
    """The weights that a user names: their check, and the tasks that they can predict.

    Without a check for weights that are not described, and with None for those that do not tell.
    """

    checkpoint: str
    given: Given
    checks: Sequence[Check] = ()
    tasks: Sequence[str] | None = None


def _examine_weights(checkpoint: str, given: Given) -> _Weights:
    """Return which tasks can use weights that are named by their path or by a hub's id."""
    path, family = expanded(checkpoint), find_family(given.family)
    if find_entry(checkpoint) is not None:
        return _Weights(checkpoint, given)
    offered = tasks_of(family.offers) if family.offers else None
    # X-VLM has no layout of a folder of weights: each task says so.
    described = path.is_file() or (path.is_dir() and given.family != XVLM)
    if family.describer is None or not described:
        return _Weights(checkpoint, given, tasks=offered)
    remedies = ("name other weights with --checkpoint, or another family with --model",)
    try:
        description = describe(path, family=given.family)
    except CheckpointError as error:
        return _Weights(checkpoint, given, [Check("weights", FAILED, str(error), remedies)])
    first, *_, last = description.sentences()
    if not description.fits:
        return _Weights(checkpoint, given, [Check("weights", FAILED, last, remedies)])
    if isinstance(description, Offering):
        offered = tasks_of(description.offers)
    return _Weights(checkpoint, given, [Check("weights", OK, first)], offered)


def _check_task(
    task: Task, source: DataSource, folder: DataFolder | None, weights: _Weights
) -> Check:
    """Check that a task has its files, its environment and its weights."""
    checkpoint = weights.checkpoint
    entry = find_entry(checkpoint)
    lacks_entry = entry is not None and not {task.name, task.weights_of} & entry.files.keys()
    if lacks_entry or (weights.tasks is not None and task.name not in weights.tasks):
        finding = f"{entry.name if entry else checkpoint} has no weights for it"
        return Check(task.name, NOTE, finding, ("name others with --checkpoint",))
    lacking: list[str] = []
    remedies: list[str] = []
    splits = [source.name] if isinstance(source, OwnFiles) else task.splits
    needed = [file for split in splits for file in task.files(split)]
    by_path = {file.candidates[0]: file for file in (folder.missing(needed) if folder else ())}
    missing = list(by_path.values())  # one file may hold several splits
    if isinstance(source, Hub) and task.dataset.hub is None:
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
        find_weights(
            checkpoint,
            task=task.name,
            data=source.folder,
            given=weights.given,
            like=task.weights_of,
        )
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
