"""Whether a prediction file is of the run that goes on: its identity, compared key by key."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import IdentityError
from harness.plugins import MODEL, TASK
from harness.records.prediction_lines import parse_head


def check_head(line: bytes, path: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the head of a file; raises IdentityError if its identity is another."""
    head = parse_head(line, path)
    current = json.loads(json.dumps(identity))  # as it would have been written: tuples as lists
    if head["identity"] != current:
        difference = describe_difference(head["identity"], current)
        raise IdentityError(
            f"{path}: belongs to another run{_changed_plugins(head['identity'], current)} "
            f"(there / now: {difference}); {_remedy(head['identity'], current)}"
        )
    return head


def describe_difference(identity: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the differences of two runs' identities: `settings.dtype: float32 / float16, ...`."""
    first, second = dict(_flat(identity)), dict(_flat(other))
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    return ", ".join(
        f"{name}: {_short(first.get(name))} / {_short(second.get(name))}" for name in names
    )


def _changed_plugins(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return a clause that names the plugins whose code or version changed."""
    old, new = before.get("code", {}), now.get("code", {})
    names = [
        f"the {kind} {new[kind]['name']!r}"
        for kind in (TASK, MODEL)
        if kind in new and old.get(kind) != new[kind]
    ]
    return f": the code of {' and '.join(names)} changed" if names else ""


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings by their dotted names."""
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", item


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


def _remedy(identity: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Say how to keep the results of two runs; weights of one name can be given another one."""
    weights, others = (run.get("checkpoint") or {} for run in (identity, other))
    if weights.get("sha256") != others.get("sha256"):
        return (
            "give these weights a name of their own with --name, choose another --out, "
            "or replace it with --fresh"
        )
    return "choose another --out, or replace it with --fresh"
