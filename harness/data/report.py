"""What was found in a data folder, in tables and sentences for people, and as JSON for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.data.inventory import INCOMPLETE, MISSING, SOUND, WRONG, File, Inspection
from harness.data.origins import Origin
from harness.data.survey import Survey
from harness.data.verify import Misfit
from harness.rendering import Table, render, render_json

FILE_COLUMNS = {"file": "file", "state": "state", "for": "for", "found": "found"}
SPLIT_COLUMNS = {
    "task": "task",
    "split": "split",
    "state": "state",
    "holds": "holds",
    "found": "differs",
}
MISFIT_COLUMNS = {"file": "image", "reason": "reason", "for": "for"}


def shown(survey: Survey, *, format: str) -> str:
    """Return everything that was found as text in a format: terminal, md or json."""
    if format == "json":
        return _as_json(survey.inspection, survey.misfits)
    return _as_text(survey.inspection, survey.misfits, format)


def _as_text(inspection: Inspection, misfits: Sequence[Misfit] | None, format: str) -> str:
    kind = (
        "published hashes and counts are checked"
        if inspection.published
        else "the embedded benchmark: nothing is published of it"
    )
    files = [
        {
            "file": one.place,
            "state": one.state,
            "for": _short(one.needed_by),
            "found": _first(one.found),
        }
        for one in inspection.files
    ]
    splits = [
        {
            "task": one.task,
            "split": one.split,
            "state": one.state,
            "holds": ", ".join(f"{count:,} {word}" for word, count in one.counts.items()) or None,
            "found": _first(one.found),
        }
        for one in inspection.splits
    ]
    tables = [
        Table(f"{inspection.data.root} ({kind})", files, FILE_COLUMNS),
        Table("Splits", splits, SPLIT_COLUMNS),
    ]
    if misfits:
        rows = [
            {"file": str(one.path), "reason": one.reason, "for": _short(one.needed_by)}
            for one in misfits
        ]
        tables.append(Table("Images that do not fit", rows, MISFIT_COLUMNS))
    parts = [render(tables, format)]
    if remedies := [remedy(one) for one in inspection.files if one.state not in SOUND]:
        parts.append("\n".join(["What to do:", *remedies]))
    parts.append(_verdict(inspection, misfits))
    return "\n\n".join(parts)


def remedy(file: File) -> str:
    """Return what to do about a file that is not as it should be: what to get from where, in which form, how large, under which licence."""
    if file.state == WRONG:
        return f"  {file.place}: {file.needed.description}; it is not the published file: get it again{_offer(file.origin, file.needed.source)}"
    verb = "complete it" if file.state == INCOMPLETE else "get it"
    return f"  {file.place}: {file.needed.description}; {verb}{_offer(file.origin, file.needed.source)}"


def _offer(origin: Origin | None, source: str) -> str:
    if origin is None:
        return f" from {source}"
    size = f"{size_in_words(origin.size)}, " if origin.size else ""
    offer = f" from {origin.url or origin.how} ({origin.name}, {size}{origin.licence})"
    if origin.elsewhere:
        offer += f"; {origin.elsewhere}"
    return offer + ("; `xvlm-eval fetch` does it" if origin.url else "")


def size_in_words(size: int) -> str:
    """Return a number of bytes in megabytes or gigabytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _verdict(inspection: Inspection, misfits: Sequence[Misfit] | None) -> str:
    counts = {
        state: sum(one.state == state for one in inspection.files)
        for state in (MISSING, INCOMPLETE, WRONG)
    }
    complaints = [f"{count} files {state}" for state, count in counts.items() if count]
    differ = sum(one.state == WRONG for one in inspection.splits)
    complaints += [f"{differ} splits not as published or not readable"] if differ else []
    complaints += [f"{len(misfits)} images that do not fit"] if misfits else []
    if complaints:
        return "; ".join(complaints)
    return "everything is there" + (
        "; the images were not decoded (--verify does it)"
        if misfits is None
        else ", and every image fits"
    )


def _as_json(inspection: Inspection, misfits: Sequence[Misfit] | None) -> str:
    files: list[dict[str, Any]] = []
    for one in inspection.files:
        origin = (
            None
            if one.origin is None
            else {
                key: value for key, value in asdict(one.origin).items() if value not in (None, "")
            }
        )
        files.append(
            {
                **asdict(one),
                "needed": {"what": one.needed.description, "source": one.needed.source},
                "origin": origin,
            }
        )
    return render_json(
        {
            "data": str(inspection.data.root),
            "name": inspection.data.name,
            "published": inspection.published,
            "sound": inspection.sound and not misfits,
            "files": files,
            "splits": [asdict(one) for one in inspection.splits],
            "misfits": None
            if misfits is None
            else [{**asdict(one), "path": str(one.path)} for one in misfits],
        }
    )


def _short(names: Sequence[str]) -> str:
    """Return `vqav2 val, test; nlvr2 dev` for the titles of splits."""
    by_task: dict[str, list[str]] = {}
    for name in names:
        task, split = name.split(" ", 1)
        by_task.setdefault(task, []).append(split)
    return "; ".join(f"{task} {', '.join(splits)}" for task, splits in by_task.items())


def _first(found: Sequence[str]) -> str | None:
    return "; ".join(found) or None
