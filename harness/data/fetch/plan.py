"""What is to be fetched for tasks, how much it is, and what has to be asked for by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.callbacks import Progress
from harness.checkpoints import BERT, PAPER, Entry, Release, bert_vocabulary, entries, release_path
from harness.data.inventory import INCOMPLETE, MISSING, WRONG, File, Inspection, inspect
from harness.data.origins import Origin, origin_of
from harness.data.report import remedy, size_in_words
from harness.data.resolve import resolve_data
from harness.errors import MissingError, UsageError
from harness.formats.folder import EMBEDDED, OWN, DataFolder, open_folder
from harness.registry import find_splits, find_tasks
from harness.task import Task


@dataclass(frozen=True)
class Step:
    """A published file to fetch, and which of its members go where below the data folder."""

    origin: Origin
    members: Mapping[str, str]

    @property
    def room(self) -> int:
        """How many bytes it takes on disk in the end, at most; 0 where nobody knows."""
        return self.origin.unpacked or self.origin.size or 0


@dataclass(frozen=True)
class WeightStep:
    """A released weight file to get from Google Drive, and its path."""

    entry: Entry
    release: Release
    path: Path


@dataclass(frozen=True)
class Plan:
    """What a data folder lacks: what can be fetched, and in sentences what cannot."""

    root: Path
    steps: Sequence[Step]
    weights: Sequence[WeightStep]
    by_hand: Sequence[str]

    @property
    def room(self) -> int:
        """How many bytes of disk it takes at most: everything unpacked, and the largest archive beside it."""
        return sum(step.room for step in self.steps) + max(
            (step.origin.size or 0 for step in self.steps), default=0
        )


def plan_for(
    tasks: Sequence[str],
    splits: Sequence[str],
    *,
    data: str | None,
    weights: bool,
    progress: Progress,
) -> Plan:
    """Return the plan for the words of a command line. Raises UsageError for unknown names, and where no folder is named."""
    chosen = find_tasks(tasks or ["all"])
    wanted = [(task, find_splits(task, splits)) for task in chosen]
    root = resolve_data(data).folder
    if root is None:
        raise UsageError(
            "fetch needs a folder: --data DIR, XVLM_EVAL_DATA, or `data: DIR` in the configuration file"
        )
    folder = open_folder(root) if root.exists() else DataFolder(root, OWN)
    if folder.name == EMBEDDED:
        raise UsageError(
            f"{root}: holds the embedded benchmark, which needs nothing; name another folder"
        )
    with progress("files") as report:
        return make_plan(inspect(folder, wanted, report=report), chosen, weights=weights)


def make_plan(inspection: Inspection, tasks: Sequence[Task], *, weights: bool) -> Plan:
    """Return what to fetch of what was found missing, the small files first; weights from Google Drive only where they are asked for."""
    root = inspection.data.root
    members: dict[str, tuple[Origin, dict[str, str]]] = {}
    by_hand: list[str] = []
    for file in inspection.files:
        if file.state == WRONG:
            by_hand.append(f"{remedy(file)}; move the one that is there away first")
        elif file.state in (MISSING, INCOMPLETE):
            origin = file.origin
            if origin is None or origin.url is None:
                by_hand.append(remedy(file))
            else:
                members.setdefault(origin.name, (origin, {}))[1].update(_members(origin, file))
    steps = [Step(origin, found) for origin, found in members.values()]
    steps += _vocabulary(root)
    missing = [step for task in tasks for step in _missing_weights(task, root)]
    if not weights:
        by_hand += [
            f"{step.path}: the {step.release.head} checkpoint of {step.entry.title}; `--weights` gets it"
            for step in missing
        ]
    return Plan(
        root,
        sorted(steps, key=lambda step: step.origin.size or 0),
        missing if weights else (),
        by_hand,
    )


def in_words(plan: Plan) -> str:
    """Return the plan for people: what, from where, how large, under which licence, and where it goes."""
    lines = [
        f"{step.origin.name}: {size_in_words(step.origin.size) if step.origin.size else 'size not published'}, {step.origin.licence}\n"
        f"  from {step.origin.url}\n  to   {', '.join(str(plan.root / place) for place in step.members.values())}"
        for step in plan.steps
    ]
    lines += [
        f"{step.release.path}: {step.entry.title}, {step.entry.licence}\n  from Google Drive, id {step.release.drive}\n  to   {step.path}"
        for step in plan.weights
    ]
    if not lines:
        lines = [f"nothing to fetch into {plan.root}"]
    else:
        lines.append(f"room on disk, at most: {size_in_words(plan.room)}")
    if plan.by_hand:
        lines += [
            "not to be had without asking, or not asked for:",
            *(f"  {line.strip()}" for line in plan.by_hand),
        ]
    return "\n".join(lines)


def _members(origin: Origin, file: File) -> dict[str, str]:
    """Return the member of its origin that a file is, and its place: the one where it is incomplete, or the best one."""
    return {
        member: file.place
        for member, place in origin.members.items()
        if place in file.needed.places
    }


def _vocabulary(root: Path) -> list[Step]:
    try:
        bert_vocabulary(root)
        return []
    except MissingError:
        origin = origin_of((f"{BERT}/vocab.txt",))
        return [Step(origin, origin.members)] if origin else []


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
