"""The fields that docs/record.md describes, and those of a record that it does not."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "record.md").read_text(encoding="utf-8")
# Objects whose keys are not fields: names of metrics, settings, kinds or files, ids of samples.
MAPS = (
    *("metrics", "intervals", "breakdown", "not_run"),
    *("checkpoint.arguments", "data.files", "predictions.skipped"),
)


def section(heading: str) -> str:
    """Return the text below a heading, up to the next one of any level."""
    return re.split(r"^#+ .*$", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def documented(heading: str) -> set[str]:
    """Return the names in the first column of the tables below a heading."""
    rows = re.findall(r"^\| (.*?) \|", section(heading), flags=re.M)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the fields of a JSON object, nested ones as `outer.inner`."""
    for key, inner in value.items():
        path = f"{prefix}{key}"
        if not isinstance(inner, dict) or path in MAPS or not inner:
            yield path
        else:
            yield from keys(inner, f"{path}.")


def undocumented(record: Mapping[str, Any]) -> set[str]:
    """Return the fields of a record that the page lacks."""
    return set(keys(record)) - documented("The record") - documented("Nested fields")


def undocumented_scores(
    task: str, *, metrics: Iterable[str], breakdown: Iterable[str]
) -> tuple[set[str], set[str]]:
    """Return the metrics and the kinds of breakdown of a task that the page lacks."""
    rows = [line.split("|")[1:4] for line in section("Metric names").splitlines() if line]
    ((_, named, kinds),) = (row for row in rows if f"`{task}`" in row[0])
    return (
        set(metrics) - set(re.findall(r"`(.+?)`", named)),
        set(breakdown) - set(re.findall(r"`(.+?)`", kinds)),
    )
