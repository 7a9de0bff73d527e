"""Report on a data folder: its files, its splits and, on request, every image."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.callbacks import Progress
from harness.data.inventory import (
    INCOMPLETE,
    MISSING,
    SOUND,
    WRONG,
    FileEntry,
    Inventory,
    take_inventory,
)
from harness.data.resolve import DataSource
from harness.data.verify import ImageProblem, verify
from harness.dataset import Origin
from harness.formats.own.folder import OwnFolder
from harness.registry import find_tasks, splits_of, wants_all
from harness.rendering import Table, render, render_json

WORKERS = 4  # threads that decode images

FILE_COLUMNS = {"file": "file", "state": "state", "for": "for", "reasons": "found"}
SPLIT_COLUMNS = {
    "task": "task",
    "split": "split",
    "state": "state",
    "holds": "holds",
    "reasons": "differs",
}
IMAGE_COLUMNS = {"file": "image", "reason": "reason", "for": "for"}


@dataclass(frozen=True)
class DataReport:
    """An inventory and the images with problems; None where the images were not decoded."""

    inventory: Inventory
    image_problems: Sequence[ImageProblem] | None = None

    @property
    def sound(self) -> bool:
        """Whether a run has everything it needs, and the examination found nothing wrong."""
        return self.inventory.sound and not self.image_problems


def inventory_for(
    tasks: Sequence[str],
    splits: Sequence[str],
    *,
    source: DataSource,
    keep: bool,
    progress: Progress,
) -> Inventory:
    """Return the inventory of the files that the named tasks (all where none is named) need.

    `keep` retains the samples. Raises UsageError for an unknown name, MissingError if the folder
    does not exist.
    """
    chosen = find_tasks(tasks or ["all"])
    by_task = splits_of(chosen, splits, every=not tasks or wants_all(tasks))
    wanted = [(task, by_task[task.name]) for task in chosen if task.name in by_task]
    folder = source.open(by_task, progress=progress)
    with progress("files") as report:
        return take_inventory(folder, wanted, report=report, keep=keep)


def verify_images(inventory: Inventory, *, images: str, progress: Progress) -> list[ImageProblem]:
    """Decode every image of an inventory that keeps its samples, by the policy `images`."""
    with progress("images") as report:
        return verify(inventory.loaded, workers=WORKERS, report=report, images=images)


def render_report(report: DataReport, *, format: str) -> str:
    """Return a report as text: `terminal`, `md` or `json`."""
    return _as_json(report) if format == "json" else _as_text(report, format)


def remedy(file: FileEntry) -> str:
    """Return what to do about a file: where to get it, how large it is, under which licence."""
    if file.state == WRONG:
        action = "it is not the published file: get it again"
    else:
        action = "complete it" if file.state == INCOMPLETE else "get it"
    return f"  {file.path}: {file.needed.description}; {action} from {_source(file)}"


def size_in_words(size: int) -> str:
    """Return a number of bytes in megabytes or gigabytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _source(file: FileEntry) -> str:
    origin = file.origin
    if origin is None:
        return file.needed.source
    size = f"{size_in_words(origin.size)}, " if origin.size else ""
    source = f"{origin.address} ({origin.name}, {size}{origin.licence})"
    if origin.mirror:
        source += f"; {origin.mirror}"
    return f"{source}; `xvlm-eval fetch` does it" if origin.url else source


def _as_text(report: DataReport, format: str) -> str:
    inventory = report.inventory
    kind = (
        "own data"
        if isinstance(inventory.data, OwnFolder)
        else "published hashes and counts are checked"
        if inventory.published
        else "the embedded benchmark: nothing is published of it"
    )
    files = [
        {
            "file": entry.path,
            "state": entry.state,
            "for": _grouped(entry.needed_by),
            "reasons": _joined(entry.reasons),
        }
        for entry in inventory.files
    ]
    splits = [
        {
            "task": entry.task,
            "split": entry.split,
            "state": entry.state,
            "holds": _joined([f"{n:,} {name}" for name, n in entry.counts.items()], ", "),
            "reasons": _joined(entry.reasons),
        }
        for entry in inventory.splits
    ]
    tables = [
        Table(f"{inventory.data.root} ({kind})", files, FILE_COLUMNS),
        Table("Splits", splits, SPLIT_COLUMNS),
    ]
    if report.image_problems:
        rows = [
            {"file": str(entry.path), "reason": entry.reason, "for": _grouped(entry.needed_by)}
            for entry in report.image_problems
        ]
        tables.append(Table("Images that do not fit", rows, IMAGE_COLUMNS))
    parts = [render(tables, format)]
    if remedies := [remedy(entry) for entry in inventory.files if entry.state not in SOUND]:
        parts.append("\n".join(["What to do:", *remedies]))
    return "\n\n".join([*parts, _verdict(report)])


def _verdict(report: DataReport) -> str:
    files, splits = report.inventory.files, report.inventory.splits
    problems = [
        f"{count} files {state}"
        for state in (MISSING, INCOMPLETE, WRONG)
        if (count := sum(entry.state == state for entry in files))
    ]
    if wrong := sum(entry.state == WRONG for entry in splits):
        problems.append(f"{wrong} splits not as published or not readable")
    if report.image_problems:
        problems.append(f"{len(report.image_problems)} images that do not fit")
    if problems:
        return "; ".join(problems)
    if report.image_problems is None:
        return "everything is present; the images were not decoded (--verify does it)"
    return "everything is present, and every image fits"


def _as_json(report: DataReport) -> str:
    inventory, problems = report.inventory, report.image_problems
    return render_json(
        {
            "data": str(inventory.data.root),
            "name": inventory.data.name,
            "published": inventory.published,
            "sound": report.sound,
            "files": [
                {
                    "place": entry.path,
                    "needed": {"what": entry.needed.description, "source": entry.needed.source},
                    "needed_by": entry.needed_by,
                    "state": entry.state,
                    "found": entry.reasons,
                    "origin": entry.origin and _origin_as_json(entry.origin),
                    "lacking": entry.missing_images,
                }
                for entry in inventory.files
            ],
            "splits": [
                {
                    "task": entry.task,
                    "split": entry.split,
                    "counts": entry.counts,
                    "state": entry.state,
                    "found": entry.reasons,
                }
                for entry in inventory.splits
            ],
            "misfits": problems
            and [{**asdict(entry), "path": str(entry.path)} for entry in problems],
        }
    )


def _origin_as_json(origin: Origin) -> Mapping[str, Any]:
    values = {
        "name": origin.name,
        "url": origin.url,
        "how": origin.instructions,
        "form": origin.format,
        "licence": origin.licence,
        "members": origin.members,
        "size": origin.size,
        "sha256": origin.sha256,
        "unpacked": origin.unpacked_limit,
        "elsewhere": origin.mirror,
        "drive": origin.drive,
    }
    return {key: value for key, value in values.items() if value}


def _grouped(titles: Sequence[str]) -> str:
    """Return titles of splits, each `TASK SPLIT`, by task: `TASK SPLIT, SPLIT; TASK SPLIT`."""
    by_task: dict[str, list[str]] = {}
    for title in titles:
        task, split = title.split(" ", 1)
        by_task.setdefault(task, []).append(split)
    return "; ".join(f"{task} {', '.join(splits)}" for task, splits in by_task.items())


def _joined(texts: Sequence[str], separator: str = "; ") -> str | None:
    return separator.join(texts) or None
