"""The identity of a run: how two of them differ, and how the results of both can be kept."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.plugins import MODEL, TASK


def describe_other_run(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Say that a file of the `stored` identity is another run's, why, and how to keep both."""
    return (
        f"belongs to another run{_changed_plugins(stored, current)} "
        f"(there / now: {describe_difference(stored, current)}); {_remedy(stored, current)}"
    )


def describe_difference(identity: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the differences of two runs' identities: `settings.dtype: float32 / float16, ...`."""
    first, second = dict(_flat(identity)), dict(_flat(other))
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    return ", ".join(
        f"{name}: {_short(first.get(name))} / {_short(second.get(name))}" for name in names
    )


def _changed_plugins(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Return a clause that names the plugins whose code or version changed."""
    old, new = stored.get("code", {}), current.get("code", {})
    names = [
        f"the {kind} {new[kind]['name']!r}"
        for kind in (TASK, MODEL)
        if kind in new and old.get(kind) != new[kind]
    ]
    return f": the code of {' and '.join(names)} changed" if names else ""


def _remedy(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Say how to keep the results of both runs: other weights can be given another name."""
    old, new = (identity.get("checkpoint") or {} for identity in (stored, current))
    if old.get("sha256") != new.get("sha256"):
        return (
            "give these weights a name of their own with --name, choose another --out, "
            "or replace it with --fresh"
        )
    return "choose another --out, or replace it with --fresh"


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
