"""What a check found, for people and machines: terminal, Markdown, JSON, JUnit."""

from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from harness.drift.check import (
    DRIFTED,
    FAILING,
    IDENTICAL,
    IMPROVED,
    REFUSED,
    SAME,
    Cell,
    Check,
    Compared,
    margin,
)
from harness.drift.samples import Change, shown
from harness.rendering import Row, Table, render, render_json

LISTED = 10  # changed predictions that a check names; `xvlm-eval diff` shows more
CELL_COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric", "baseline": "baseline", "now": "now",
    "delta": "difference", "interval": "95 % interval", "p": "p", "worse": "worse", "better": "better", "verdict": "verdict",
}  # fmt: skip


def render_check(check: Check, format: str) -> str:
    """Return a check as text: `terminal`, `md`, `json` or `junit`."""
    if format == "json":
        return render_json(_check_as_json(check))
    if format == "junit":
        return _as_junit(check)
    parts = [
        *map(
            _about,
            (
                pair
                for pair in check.compared
                if pair.moved is None or any(pair.moved) or any(map(_failing, pair.cells))
            ),
        )
    ]
    cells = [_cell_row(cell) for cell in check.cells if cell.metric]
    if cells:
        parts.append(render([Table("Results beside their baseline", cells, CELL_COLUMNS)], format))
    notes = [
        f"{_title(cell)}: {cell.verdict}: {cell.reason}" for cell in check.cells if cell.reason
    ]
    notes += [f"not run: {sentence}" for sentence in check.missing]
    if notes:
        parts.append("\n".join(f"- {note}" if format == "md" else note for note in notes))
    return "\n\n".join([*parts, summary(check)])


def summary(check: Check) -> str:
    """Return the outcome of a check in a sentence or two: the cells that failed by name."""
    if not check.cells:
        return "FAILED: there is nothing to compare"
    counts = {
        verdict: sum(cell.verdict == verdict for cell in check.cells)
        for verdict in (IDENTICAL, SAME, IMPROVED, DRIFTED, REFUSED)
    }
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    sentence = f"{'FAILED' if check.failed else 'OK'}: of {len(check.cells)} cells, {said}"
    if named := [_title(cell) for cell in check.cells if cell.verdict in FAILING]:
        sentence += f" ({'; '.join(named)})"
    if undecided := sum(cell.verdict == SAME and not cell.no_worse for cell in check.cells):
        sentence += f". Of those called same, {undecided} have too few samples to rule out a drop beyond their margin"
    if counts[IMPROVED]:
        sentence += ". What improved has outgrown its baseline: renew it, with the reason"
    return sentence


def _failing(cell: Cell) -> bool:
    return cell.verdict in FAILING


def _about(pair: Compared) -> str:
    """Say what was compared with what, what else differs, and which predictions changed."""
    lines = [f"{pair.title} beside {pair.baseline}: {_count(pair)}; {pair.inputs}"]
    if pair.exact and (pair.moved is None or pair.moved.changed):
        lines += ["  the fingerprint is the same: the same predictions were due"]
    else:
        lines += [
            f"  {difference.name}: {difference.before} -> {difference.after}"
            for difference in pair.differences
        ]
    for change in pair.changes[: LISTED if pair.exact else 0]:
        lines.append(f"  {_as_line(change)}")
    if pair.exact and len(pair.changes) > LISTED:
        lines.append(f"  and {len(pair.changes) - LISTED} more: `xvlm-eval diff` shows them")
    return "\n".join(lines)


def _count(pair: Compared) -> str:
    if pair.moved is None:
        return "what changed cannot be told"
    changed, last_digits = map(len, pair.moved)
    return f"{changed} of {pair.samples} predictions changed" + (
        f", {last_digits} others in their last digits" if last_digits else ""
    )


def _as_line(change: Change) -> str:
    moved = (
        f" ({change.measure} {change.before:.2f} -> {change.after:.2f})"
        if change.before is not None
        else ""
    )
    before, after = change.predicted_before, change.predicted_after
    return f"{change.id}: {shown(before, after)} -> {shown(after, before)}{moved}"


def _title(cell: Cell) -> str:
    return (
        " ".join(part for part in (cell.checkpoint, cell.task, cell.split, cell.metric) if part)
        or "a file"
    )


def _cell_row(cell: Cell) -> Row:
    p = None if cell.p is None else "<0.0001" if cell.p < 0.0001 else f"{cell.p:.4f}"
    return {**asdict(cell), "delta": cell.difference, "interval": cell.interval, "p": p}


def _check_as_json(check: Check) -> dict[str, Any]:
    return {
        "failed": check.failed,
        "summary": summary(check),
        "cells": [{**asdict(cell), "margin": margin(cell.metric)} for cell in check.cells],
        "compared": [
            {
                **{name: value for name, value in asdict(pair).items() if name not in ("cells", "moved")},
                "baseline": str(pair.baseline),
                "changed": None if pair.moved is None else len(pair.moved.changed),
                "last_digits": None if pair.moved is None else len(pair.moved.last_digits),
            }
            for pair in check.compared
        ],
        "missing": list(check.missing),
    }  # fmt: skip


def _as_junit(check: Check) -> str:
    """Return a check as JUnit's XML: a test a cell, which CI systems show by name."""
    failed = sum(map(_failing, check.cells))
    suite = ElementTree.Element(
        "testsuite",
        name="xvlm-eval check",
        tests=str(len(check.cells)),
        failures=str(failed),
        errors="0",
    )
    for cell in check.cells:
        place = ".".join(part for part in (cell.checkpoint, cell.task, cell.split) if part)
        case = ElementTree.SubElement(
            suite, "testcase", classname=place, name=cell.metric or "comparable"
        )
        if _failing(cell):
            failure = ElementTree.SubElement(
                case, "failure", message=f"{cell.verdict}: {cell.reason or 'a significant drop'}"
            )
            failure.text = f"baseline {cell.baseline}, now {cell.now}, interval of the difference {cell.interval}, p {cell.p}"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
