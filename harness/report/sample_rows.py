"""Samples as rows: a table for the terminal, CSV and JSON for machines."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from harness.errors import printable
from harness.images import image_file
from harness.rendering import Row, Table, render, render_csv, render_json
from harness.report.baseline import Changes, flip
from harness.running.stored.samples import StoredSample, StoredSamples

WIDEST = {"text": 0.3, "truth": 0.22, "prediction": 0.22, "before": 0.12, "picture": 0.2}
NARROW = 60  # columns that a terminal has at least; WIDEST are shares of them


class Shown(NamedTuple):
    """The chosen samples of a result, and what changed since a baseline if there is one."""

    samples: StoredSamples
    indices: Sequence[int]
    changes: Changes | None


def to_table(part: Shown) -> str:
    """Return the chosen samples as a table that fits the terminal."""
    if not part.indices:
        return printable(f"{part.samples.result.title}: none of {len(part.samples)} samples")
    width = max(shutil.get_terminal_size((120, 24)).columns, NARROW)
    rows = [
        {key: _fitted(value, key, width) for key, value in row.items()}
        for row in _rows(part, full=False)
    ]
    title = f"{part.samples.result.title}: {len(rows)} of {len(part.samples)} samples"
    return render([Table(printable(title), rows, _columns(part))], "terminal")


def to_lines(part: Shown, index: int) -> str:
    """Return one sample in lines, for a terminal that shows its picture below them."""
    row = _row(part, index, full=False)
    lines = [f"{part.samples.result.title}  {row.pop('id')}"]
    lines += [f"  {key}: {_cell(value)}" for key, value in row.items() if value is not None]
    return "\n".join(map(printable, lines))


def to_csv(parts: Sequence[Shown]) -> str:
    """Return the samples of all results as one CSV table."""
    rows = [{**_title_of(part), **row} for part in parts for row in _rows(part, full=True)]
    columns = dict.fromkeys(key for row in rows for key in row)
    return render_csv(Table("", rows, {key: key for key in columns}))


def to_json(parts: Sequence[Shown]) -> str:
    """Return the samples of all results with everything that is known of them."""
    return render_json(
        {
            "results": [
                {
                    **_title_of(part),
                    "record": str(part.samples.result.path),
                    "samples_in_total": len(part.samples),
                    "measures": list(part.samples.measures),
                    "problems": part.samples.problems,
                    "samples": [_content(part, index) for index in part.indices],
                }
                for part in parts
            ]
        }
    )


def _columns(part: Shown) -> dict[str, str]:
    measures = {measure: measure for measure in part.samples.measures}
    names = ("id", "picture", "text", "truth", "prediction", "before", "was", "flip")
    return {**{name: name for name in names}, **measures}


def _rows(part: Shown, *, full: bool) -> list[Row]:
    return [_row(part, index, full=full) for index in part.indices]


def _row(part: Shown, index: int, *, full: bool) -> Row:
    sample = part.samples[index]
    paths = [image_file(picture.view) for picture in sample.view.pictures]
    row: Row = {
        "id": str(sample.id),
        "picture": " ".join(str(path) if full else path.name for path in paths) or None,
        "text": "\n".join(sample.view.texts[: 2 if full else 1]) or None,
        "truth": sample.view.truth,
        "prediction": sample.view.prediction,
        **({"wrong": sample.wrong} if full else {}),
        **sample.scores,
    }
    if part.changes is not None:
        change = part.changes.by_id.get(sample.id)
        row |= {
            "before": part.changes.sample_before(sample.id).view.prediction if change else None,
            "was": change.before if change else None,
            "flip": flip(change) if change else None,
        }
    return row


def _content(part: Shown, index: int) -> dict[str, Any]:
    sample: StoredSample = part.samples[index]
    view = sample.view
    change = part.changes.by_id.get(sample.id) if part.changes else None
    return {
        "id": sample.id,
        "pictures": [
            {
                "file": str(image_file(picture.view)),
                "label": picture.label,
                "boxes": [
                    {"role": box.role, "box": list(box.box), "label": box.label}
                    for box in picture.boxes
                ],
            }
            for picture in view.pictures
        ],
        "texts": list(view.texts),
        "truth": view.truth,
        "prediction": view.prediction,
        "stored_prediction": sample.prediction,
        "scores": {name: _finite(value) for name, value in sample.scores.items()},
        "wrong": sample.wrong,
        "types": list(view.types),
        "confidence": view.confidence,
        "details": [
            {
                "title": details.title,
                "items": [{**asdict(item), "score": _finite(item.score)} for item in details.items],
            }
            for details in view.details
        ],
        **(
            {
                "before": {
                    "prediction": change.predicted_before,
                    "measure": change.measure,
                    "score": _finite(change.before),
                    "flip": flip(change),
                }
            }
            if change
            else {}
        ),
    }


def _finite(value: float | None) -> float | None:
    """Return a number if JSON has it."""
    return value if value is not None and math.isfinite(value) else None


def _title_of(part: Shown) -> Row:
    record = part.samples.result.record
    return {
        "checkpoint": record.checkpoint["name"],
        "task": record.task,
        "split": record.split,
    }


def _fitted(value: Any, key: str, width: int) -> Any:
    """Return a cell without line breaks, cut to its share of the terminal."""
    if not isinstance(value, str):
        return value
    text = printable(" ".join(value.split()))
    longest = int(WIDEST.get(key, 1.0) * width)
    if len(text) <= longest:
        return text
    # Names of image files differ in their ends.
    return f"…{text[1 - longest :]}" if key == "picture" else f"{text[: longest - 1]}…"


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
