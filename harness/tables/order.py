"""The order of rows: the paper's, unknown names last, and numbers by value."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.tables.paper import Paper


def sorting_key(row: Mapping[str, Any], paper: Paper) -> tuple[Any, ...]:
    """Return a key that sorts as the paper, unknown names last, and R@5 before R@10."""
    task, split = row["task"], row["split"]
    splits = list(paper.counts.get(task, ()))
    return (
        _position(task, paper.tasks),
        task,
        row["protocol"] or "",
        natural_key(row["checkpoint"] or ""),
        _position(split, splits),
        split,
        natural_key(row["metric"]),
    )


def _position(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)


def natural_key(name: str) -> list[tuple[str, int]]:
    """Return a key that sorts numbers by value: r5 before r10."""
    parts = enumerate(re.split(r"(\d+)", name))  # every second part is a number
    return [("", int(part)) if index % 2 else (part, 0) for index, part in parts]
