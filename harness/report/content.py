"""The sections of a report, one for each result: read, ordered, and given an address."""

import json
import re
from collections.abc import Sequence
from typing import Any

from harness.data.result_sources import ResultSource
from harness.errors import HarnessError
from harness.records.stored import StoredResult
from harness.registry import loadable_tasks
from harness.report.baseline import changes_since, flip, matching
from harness.report.figures import figures, metric_figure
from harness.report.gallery import Card, picture_order
from harness.report.section import Section
from harness.report.selection import worst_first
from harness.running.stored.samples import StoredSamples
from harness.tables.comparison import all_rows, display_name
from harness.tables.paper import Paper


def build_section(
    slug: str,
    result: StoredResult,
    *,
    source: ResultSource,
    baseline: Sequence[StoredResult],
    paper: Paper,
) -> Section:
    """Read a result, what changed since the baseline, and draw its figures."""
    samples = StoredSamples(result, source)
    problems = list(samples.problems)
    changes = None
    if baseline:
        before = matching(result, baseline)
        if before is None:
            problems.append("the baseline has no such result")
        else:
            try:
                changes = changes_since(before, result, source)
            except HarnessError as error:
                problems.append(f"it cannot be compared with the baseline: {error}")
    record = result.record
    problems += [f"{metric} is not run: {reason}" for metric, reason in record.not_run.items()]
    published = {
        row["metric"]: row["published"]
        for row in all_rows([record], paper)
        if row["published"] is not None
    }
    metrics = metric_figure(record, published)
    return Section(
        slug=slug,
        result=result,
        samples=samples,
        changes=changes,
        figures=[*([metrics] if metrics else []), *figures(record, samples)],
        published=published,
        problems=problems,
        order=picture_order(samples, changes),
    )


def first_cards(section: Section, number: int) -> list[Card]:
    """Return the cards that stand in the page as plain HTML: those that its script shows first."""
    by_id = {card["id"]: card for card in section.cards}
    ids = section.samples.ids
    order = worst_first(section.samples, range(len(ids)))
    if section.changes and section.flips:
        changed = [section.samples.index(id) for id in section.changes.by_id]
        order = list(dict.fromkeys([*_losses_first(section, changed), *order]))
    chosen = (by_id.get(str(ids[index])) for index in order)
    return [card for card, _ in zip(filter(None, chosen), range(number), strict=False)]


def in_order(results: Sequence[StoredResult]) -> list[StoredResult]:
    """Return results by task and split in the order of the registry, unknown tasks last."""
    tasks = {task.name: task for task in loadable_tasks()[0]}  # a broken plugin's is unknown
    names = list(tasks)

    def key(result: StoredResult) -> tuple[Any, ...]:
        record = result.record
        known = record.task in tasks
        splits = tasks[record.task].splits if known else ()
        return (
            names.index(record.task) if known else len(names),
            record.task,
            splits.index(record.split) if record.split in splits else len(splits),
            record.split,
            display_name(record),
        )

    return sorted(results, key=key)


def slugs(results: Sequence[StoredResult]) -> list[str]:
    """Return a name for the address of each result: `task/split`, with more where two share it."""
    taken: set[str] = set()
    names = []
    for result in results:
        record = result.record
        base = _safe(f"{record.task}/{record.split}")
        full = _safe(f"{base}@{record.checkpoint['name']}")
        candidates = [base, full, *(f"{full}~{number}" for number in range(2, len(results) + 2))]
        name = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(name)
        names.append(name)
    return names


def script_json(value: Any) -> str:
    """Return JSON that a script element can hold: no letter of it ends the element or a line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _losses_first(section: Section, indices: Sequence[int]) -> list[int]:
    assert section.changes
    ids, by_id = section.samples.ids, section.changes.by_id
    order = {name: number for number, name in enumerate(("loss", "gain", "changed"))}
    return sorted(indices, key=lambda index: order[flip(by_id[ids[index]])])


def _safe(text: str) -> str:
    return re.sub(r"[^\w+./@~-]", "-", text)
