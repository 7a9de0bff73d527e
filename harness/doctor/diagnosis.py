"""Whether a run can go: the machine, the data and the weights, each task by itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from harness.checkpoints import find_entry, find_weights
from harness.data.resolve import Embedded, Hub, resolve_data
from harness.doctor.machine import FAILED, NOTE, OK, Check, machine
from harness.errors import MissingError
from harness.files.paths import config_file
from harness.formats.folder import DataFolder, open_folder
from harness.registry import find_task, task_names
from harness.rendering import Table, render, render_json
from harness.task import Task

COLUMNS = {"name": "what", "state": "state", "found": "found"}


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was looked at; `ready` names the tasks that can be run now."""

    checks: Sequence[Check]
    ready: Sequence[str]

    @property
    def well(self) -> bool:
        """Whether a run can go: nothing failed, and some task has all it needs."""
        return bool(self.ready) and all(check.state != FAILED for check in self.checks)


def examine(*, data: str | None, checkpoint: str | None, online: bool) -> Diagnosis:
    """Look at the machine, at the data folder that a run would take, and at the weights for each task.

    Raises UsageError for a checkpoint that there is not by name.
    """
    checks = list(machine(online=online))
    source = resolve_data(data)
    hub = isinstance(source, Hub)
    try:
        folder = open_folder(source.folder) if source.folder else None
    except MissingError as error:
        return Diagnosis(
            [
                *checks,
                Check(
                    "data",
                    FAILED,
                    str(error),
                    ("name a folder that exists, or none for the embedded benchmark",),
                ),
            ],
            (),
        )
    nowhere = f" (no folder by --data, XVLM_EVAL_DATA or {config_file()})"
    checks.append(Check("data", OK, f"{source}{nowhere if isinstance(source, Embedded) else ''}"))
    chosen = checkpoint or source.default_checkpoint
    tasks = [_task(find_task(name), folder, chosen, hub=hub) for name in task_names()]
    return Diagnosis([*checks, *tasks], [check.name for check in tasks if check.state == OK])


def _task(task: Task, folder: DataFolder | None, checkpoint: str, *, hub: bool) -> Check:
    """Say what a task still lacks."""
    entry = find_entry(checkpoint)
    if entry is not None and task.name not in entry.files:
        return Check(
            task.name,
            NOTE,
            f"{entry.name} has no weights for it",
            ("name others with --checkpoint",),
        )
    lacking: list[str] = []
    remedies: list[str] = []
    missing = (
        folder.missing([needed for split in task.splits for needed in task.files(split)])
        if folder
        else []
    )
    if hub and task.dataset.hub is None:
        lacking.append("a copy on the hub")
        remedies.append(task.dataset.no_hub)
    if missing:
        lacking.append(f"{len(missing)} of its files")
        remedies.append(f"`xvlm-eval data --task {task.name}` says which")
    try:
        task.check_environment()
    except MissingError:
        lacking.append("Java")
    try:
        find_weights(checkpoint, task=task.name, data=folder.root if folder else None)
    except MissingError as error:
        lacking.append("weights or vocabulary")
        remedies += error.items
    if lacking:
        return Check(task.name, NOTE, f"lacks {', '.join(lacking)}", tuple(remedies))
    return Check(task.name, OK, f"ready, with {checkpoint}")


def shown(diagnosis: Diagnosis, *, format: str) -> str:
    """Return a diagnosis as text in a format: terminal, md or json."""
    checks = [asdict(check) for check in diagnosis.checks]
    if format == "json":
        return render_json(
            {"well": diagnosis.well, "ready": list(diagnosis.ready), "checks": checks}
        )
    by_remedy: dict[str, list[str]] = {}
    for check in diagnosis.checks:
        for remedy in check.remedies:
            by_remedy.setdefault(remedy, []).append(check.name)
    parts = [render([Table("xvlm-eval doctor", checks, COLUMNS)], format)]
    if by_remedy:
        parts.append(
            "\n".join(
                [
                    "What to do:",
                    *(f"  {', '.join(names)}: {remedy}" for remedy, names in by_remedy.items()),
                ]
            )
        )
    verdict = (
        f"can be run: {', '.join(diagnosis.ready)}"
        if diagnosis.well
        else "no run can go; the table says why"
    )
    return "\n\n".join([*parts, verdict])
