"""Plan a fetch: what to download for the tasks, how much it is, and what to get by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.callbacks import Progress
from harness.checkpoints import (
    PAPER,
    VOCABULARY,
    Entry,
    Release,
    bert_vocabulary,
    entries,
    release_path,
)
from harness.data.inventory import INCOMPLETE, MISSING, WRONG, FileEntry, Inventory, take_inventory
from harness.data.report import remedy, size_in_words
from harness.data.resolve import resolve_data
from harness.dataset import Digest, Origin
from harness.errors import MissingError, UsageError
from harness.formats.folder import EMBEDDED, OWN, DataFolder, open_folder
from harness.registry import find_splits, find_tasks
from harness.task import Task


@dataclass(frozen=True)
class Step:
    """A published file to fetch; `members` maps its members to paths below the data folder.

    `digests` holds the published digests of members, by file name.
    """

    origin: Origin
    members: Mapping[str, str]
    digests: Mapping[str, Digest] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """The most bytes that it takes on disk in the end; 0 where nothing is published."""
        return self.origin.unpacked_limit or self.origin.size or 0


@dataclass(frozen=True)
class WeightStep:
    """A released weight file to fetch from Google Drive to `path`."""

    entry: Entry
    release: Release
    path: Path


@dataclass(frozen=True)
class Plan:
    """The files to fetch into a data folder, and sentences on those to get by hand."""

    root: Path
    steps: Sequence[Step]
    weights: Sequence[WeightStep]
    by_hand: Sequence[str]

    @property
    def room(self) -> int:
        """The most bytes of disk in use at a time: all files unpacked, and the largest archive."""
        largest = max((step.origin.size or 0 for step in self.steps), default=0)
        return sum(step.room for step in self.steps) + largest


def plan_for(
    tasks: Sequence[str],
    splits: Sequence[str],
    *,
    data: str | None,
    weights: bool,
    progress: Progress,
) -> Plan:
    """Return the plan for names from a command line (all tasks and splits where none is named).

    Raises UsageError for an unknown name, and where no folder is named.
    """
    chosen = find_tasks(tasks or ["all"])
    wanted = [(task, find_splits(task, splits)) for task in chosen]
    root = resolve_data(data).folder
    if root is None:
        raise UsageError(
            "fetch needs a folder: --data DIR, XVLM_EVAL_DATA, "
            "or `data: DIR` in the configuration file"
        )
    folder = open_folder(root) if root.exists() else DataFolder(root, OWN)
    if folder.name == EMBEDDED:
        raise UsageError(
            f"{root}: holds the embedded benchmark, which needs nothing; name another folder"
        )
    with progress("files") as report:
        inventory = take_inventory(folder, wanted, report=report)
    return make_plan(inventory, chosen, weights=weights)


def make_plan(inventory: Inventory, tasks: Sequence[Task], *, weights: bool) -> Plan:
    """Return what to fetch of what an inventory misses, small files first.

    `weights` includes the paper's checkpoints, which come from Google Drive.
    """
    root = inventory.data.root
    members: dict[str, tuple[Origin, dict[str, str]]] = {}
    by_hand: list[str] = []
    for file in inventory.files:
        if file.state == WRONG:
            by_hand.append(f"{remedy(file)}; move the present one away first")
        elif file.state in (MISSING, INCOMPLETE):
            origin = file.origin
            if origin is None or origin.url is None:
                by_hand.append(remedy(file))
            else:
                members.setdefault(origin.name, (origin, {}))[1].update(_members(origin, file))
    steps = [
        Step(origin, paths, _digests(origin, tasks)) for origin, paths in members.values()
    ] + _vocabulary(root)
    missing = [step for task in tasks for step in _missing_weights(task, root)]
    if not weights:
        by_hand += [
            f"{step.path}: the {step.release.head} checkpoint of {step.entry.title}; "
            "`--weights` gets it"
            for step in missing
        ]
    steps.sort(key=lambda step: step.origin.size or 0)
    return Plan(root, steps, missing if weights else (), by_hand)


def in_words(plan: Plan) -> str:
    """Return the plan as text: each file, its address, size, licence and place."""
    lines = [
        f"{step.origin.name}: {_size(step.origin)}, {step.origin.licence}\n"
        f"  from {step.origin.url}\n"
        f"  to   {', '.join(str(plan.root / path) for path in step.members.values())}"
        for step in plan.steps
    ]
    lines += [
        f"{step.release.path}: {step.entry.title}, {step.entry.licence}\n"
        f"  from Google Drive, id {step.release.drive}\n"
        f"  to   {step.path}"
        for step in plan.weights
    ]
    if lines:
        lines.append(f"room on disk, at most: {size_in_words(plan.room)}")
    else:
        lines.append(f"nothing to fetch into {plan.root}")
    if plan.by_hand:
        lines.append("needs a form or a login, or was not requested:")
        lines += [f"  {line.strip()}" for line in plan.by_hand]
    return "\n".join(lines)


def _size(origin: Origin) -> str:
    return size_in_words(origin.size) if origin.size else "size not published"


def _members(origin: Origin, file: FileEntry) -> dict[str, str]:
    """Return the member that a file is, with its path: of an incomplete folder, where it lies."""
    return {
        member: file.path
        for member, path in origin.members.items()
        if path in file.needed.candidates
    }


def _digests(origin: Origin, tasks: Sequence[Task]) -> Mapping[str, Digest]:
    return {
        name: digest
        for task in tasks
        if origin in task.dataset.origins
        for name, digest in task.dataset.digests.items()
    }


def _vocabulary(root: Path) -> list[Step]:
    try:
        bert_vocabulary(root)
        return []
    except MissingError:
        return [Step(VOCABULARY, VOCABULARY.members)]


def _missing_weights(task: Task, root: Path) -> list[WeightStep]:
    entry = entries()[PAPER]
    if task.name not in entry.files:
        return []
    release = entry.files[task.name]
    try:
        release_path(entry, release, root)
        return []
    except MissingError:
        return [WeightStep(entry, release, root / "checkpoints" / entry.name / release.path)]
