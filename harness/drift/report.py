"""The outcome of a check for people and machines: terminal, Markdown, JSON, JUnit."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from msgspec import structs

from harness.drift.check import CheckOutcome, ComparedResult
from harness.drift.environment import Difference
from harness.drift.samples import SampleChange, format_prediction
from harness.drift.verdicts import Cell, Verdict
from harness.errors import printable
from harness.rendering import Row, Table, escape_markdown, render, render_json

LISTED = 10  # changed predictions that a check names; `xvlm-eval diff` shows more
CELL_COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric",
    "baseline": "baseline", "now": "now", "delta": "difference", "interval": "95 % interval",
    "p": "p", "worse": "worse", "better": "better", "detectable": "detectable",
    "verdict": "verdict",
}  # fmt: skip


def render_check(outcome: CheckOutcome, format: str) -> str:
    """Return the outcome of a check as text: `terminal`, `md`, `json` or `junit`."""
    if format == "json":
        return render_json(check_values(outcome))
    if format == "junit":
        return render_suite(junit_suite(outcome))
    common = _common_differences(outcome)
    parts = ["\n".join(["Of every result:", *map(_describe_difference, common)])] if common else []
    parts += [
        _describe_result(result, _own_differences(result, common))
        for result in outcome.compared
        if _own_differences(result, common)
        or result.inputs.startswith("inputs changed")
        or result.predictions is None
        or result.predictions.any
        or any(cell.failing for cell in result.cells)
    ]
    if format == "md":  # predictions and ids are anybody's text: shown, never interpreted
        parts = [f"<pre>\n{html.escape(part)}\n</pre>" for part in parts]
    if rows := [_cell_row(cell) for cell in outcome.cells if cell.metric]:
        parts.append(render([Table("Results beside their baseline", rows, CELL_COLUMNS)], format))
    notes = [
        f"{_title(cell)}: {cell.verdict}: {cell.reason}" for cell in outcome.cells if cell.reason
    ]
    if notes:
        parts.append(
            "\n".join(f"- {escape_markdown(note)}" if format == "md" else note for note in notes)
        )
    sentence = summary(outcome)
    parts.append(escape_markdown(sentence) if format == "md" else sentence)
    return printable("\n\n".join(parts))


def summary(outcome: CheckOutcome) -> str:
    """Return the outcome of a check in a sentence or two, with the failing cells by name."""
    cells = outcome.cells
    if not cells:
        return "FAILED: there is nothing to compare"
    counts = Counter(cell.verdict for cell in cells)
    count = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    sentence = f"{'FAILED' if outcome.failed else 'OK'}: of {len(cells)} cells, {count}"
    if failing := [_title(cell) for cell in cells if cell.failing]:
        sentence += f" ({'; '.join(failing)})"
    open_cells = [cell for cell in cells if cell.verdict == Verdict.SAME and cell.no_worse is False]
    if open_cells:
        sentence += (
            f". Of those called same, {len(open_cells)} do not exclude a drop beyond their margin: "
            "the column `detectable` says which drop would have been proven"
        )
    if counts[Verdict.IMPROVED]:
        sentence += ". What improved has outgrown its baseline: renew it, with the reason"
    return sentence


def _common_differences(outcome: CheckOutcome) -> list[Difference]:
    """Return the differences that all results share, if there are several results."""
    if len(outcome.compared) < 2:
        return []
    first, *others = outcome.compared
    return [
        difference
        for difference in first.differences
        if all(difference in other.differences for other in others)
    ]


def _own_differences(result: ComparedResult, common: Sequence[Difference]) -> list[Difference]:
    return [difference for difference in result.differences if difference not in common]


def _describe_difference(difference: Difference) -> str:
    return f"  {difference.name}: {difference.before} -> {difference.after}"


def _describe_result(result: ComparedResult, differences: Sequence[Difference]) -> str:
    """Name a result and its baseline, their differences, and the changed predictions."""
    lines = [f"{result.title} beside {result.baseline}: {_count_changes(result)}; {result.inputs}"]
    if result.exact and (result.predictions is None or result.predictions.changed):
        lines += ["  the fingerprint is the same: the same predictions were due"]
    lines += map(_describe_difference, differences)
    if result.exact:
        lines += [f"  {_describe_change(change)}" for change in result.changes[:LISTED]]
    if result.exact and len(result.changes) > LISTED:
        lines.append(f"  and {len(result.changes) - LISTED} more: `xvlm-eval diff` shows them")
    return "\n".join(lines)


def _count_changes(result: ComparedResult) -> str:
    if result.predictions is None:
        return "the predictions cannot be compared"
    changed, last_digits = map(len, result.predictions)
    others = f", {last_digits} others in their last digits" if last_digits else ""
    return f"{changed} of {result.samples} predictions changed{others}"


def _describe_change(change: SampleChange) -> str:
    before, after = change.predicted_before, change.predicted_after
    score = (
        f" ({change.measure} {change.before:.2f} -> {change.after:.2f})"
        if change.before is not None
        else ""
    )
    return (
        f"{change.id}: {format_prediction(before, after)} -> "
        f"{format_prediction(after, before)}{score}"
    )


def _title(cell: Cell) -> str:
    names = (cell.checkpoint, cell.task, cell.split, cell.metric)
    return " ".join(filter(None, names)) or "a file"


def cell_values(cell: Cell) -> dict[str, Any]:
    """Return everything about a cell by name, None for what was not tested."""
    flips = cell.comparison.flips if cell.comparison else None
    return {
        "checkpoint": cell.checkpoint,
        "task": cell.task,
        "split": cell.split,
        "metric": cell.metric,
        "baseline": cell.baseline,
        "now": cell.now,
        "difference": cell.difference,
        "interval": cell.interval,
        "p": cell.p,
        "worse": flips.worse if flips else None,
        "better": flips.better if flips else None,
        "no_worse": cell.no_worse,
        "margin": cell.margin,
        "detectable": cell.detectable,
        "verdict": cell.verdict,
        "reason": cell.reason,
    }


def _cell_row(cell: Cell) -> Row:
    p = None if cell.p is None else "<0.0001" if cell.p < 0.0001 else f"{cell.p:.4f}"
    interval = None if cell.verdict == Verdict.IDENTICAL else cell.interval
    return {**cell_values(cell), "delta": cell.difference, "interval": interval, "p": p}


def check_values(outcome: CheckOutcome) -> dict[str, Any]:
    """Return everything about the outcome of a check by name, as JSON holds it."""
    return {
        "failed": outcome.failed,
        "summary": summary(outcome),
        "gate": structs.asdict(outcome.gate),
        "cells": [cell_values(cell) for cell in outcome.cells],
        "compared": [_result_as_json(result) for result in outcome.compared],
        "missing": [_title(cell) for cell in outcome.cells if cell.verdict == Verdict.MISSING],
    }


def _result_as_json(result: ComparedResult) -> dict[str, Any]:
    predictions = result.predictions
    return {
        "title": result.title,
        "baseline": str(result.baseline),
        "exact": result.exact,
        "differences": result.differences,
        "inputs": result.inputs,
        "samples": result.samples,
        "changes": [asdict(change) for change in result.changes],
        "changed": None if predictions is None else len(predictions.changed),
        "last_digits": None if predictions is None else len(predictions.last_digits),
    }


def junit_suite(outcome: CheckOutcome) -> ElementTree.Element:
    """Return the outcome as a suite of JUnit, one test per cell, for CI systems."""
    suite = ElementTree.Element(
        "testsuite",
        name="xvlm-eval check",
        tests=str(len(outcome.cells)),
        failures=str(sum(cell.failing for cell in outcome.cells)),
        errors="0",
    )
    for cell in outcome.cells:
        classname = ".".join(filter(None, (cell.checkpoint, cell.task, cell.split)))
        case = ElementTree.SubElement(
            suite, "testcase", classname=classname, name=cell.metric or "comparable"
        )
        if cell.failing:
            message = f"{cell.verdict}: {cell.reason or 'a significant drop'}"
            failure = ElementTree.SubElement(case, "failure", message=message)
            failure.text = (
                f"baseline {cell.baseline}, now {cell.now}, "
                f"interval of the difference {cell.interval}, p {cell.p}"
            )
    return suite


def render_suite(suite: ElementTree.Element) -> str:
    """Return a suite, or several in one element, as indented XML.

    XML has no control characters, not even escaped: they are replaced.
    """
    for element in suite.iter():
        for name, value in element.items():
            element.set(name, printable(value))
        element.text = element.text and printable(element.text)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
