"""What a report holds of each result: numbers, figures, provenance, and its gallery of samples."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from harness.data.resolve import DataSource
from harness.errors import HarnessError
from harness.records.record import ResultRecord
from harness.records.stored import StoredResult
from harness.registry import find_task, task_names
from harness.report import charts
from harness.report.figures import Figure, figures, metric_figure
from harness.report.gallery import Card, Changes, picture_order, worst_first
from harness.report.selection import FLIPS, changes_since, flip, matching
from harness.running.stored_samples import StoredSamples
from harness.sample_view import DETECTION, GIVEN, PREDICTION, TRUTH
from harness.tables.comparison import all_rows, display_name
from harness.tables.paper import Paper

TYPES = 60  # to choose from
Facts = Sequence[tuple[str, str]]


@dataclass
class Section:
    """A result in the report; `cards` is filled when the room of all galleries is known."""

    slug: str
    result: StoredResult
    samples: StoredSamples
    changes: Changes | None
    figures: Sequence[Figure]
    published: Mapping[str, float]
    problems: list[str]
    order: Sequence[int]
    cards: list[Card] = field(default_factory=list)
    static: list[Card] = field(default_factory=list)

    @property
    def record(self) -> ResultRecord:
        """The record of the result."""
        return self.result.record

    @property
    def name(self) -> str:
        """Task and split."""
        return f"{self.record.task} {self.record.split}"

    @property
    def checkpoint(self) -> str:
        """The name of the checkpoint as in tables."""
        return display_name(self.record)

    @property
    def primary(self) -> str | None:
        """The metric that the benchmark is known for, or the first one."""
        metrics = self.record.metrics
        try:
            primary = find_task(self.record.task).primary
        except HarnessError:
            primary = ""
        return primary if primary in metrics else next(iter(metrics), None)

    @property
    def headline(self) -> str:
        """The value of the primary metric."""
        return f"{self.record.metrics[self.primary]:.2f}" if self.primary else ""

    @property
    def facts(self) -> str:
        """The primary metric with its interval, the number of samples, data and protocol."""
        record = self.record
        parts = []
        if self.primary:
            text = f"{self.primary} {self.headline}"
            if self.primary in record.intervals:
                low, high = record.intervals[self.primary]
                text += f" ({low:.2f} to {high:.2f})"
            parts.append(text)
        of = f" of {record.subset.total:,}" if record.subset else ""
        parts.append(f"{record.n:,}{of} samples")
        parts.append("embedded benchmark" if record.embedded else f"data: {record.data['name']}")
        return " · ".join([*parts, record.protocol])

    @property
    def judged(self) -> bool:
        """Whether its samples are right or wrong."""
        return bool(self.cards) and any("wrong" in card for card in self.cards)

    @property
    def wrong(self) -> int:
        """How many of the shown samples are wrong."""
        return sum(card.get("wrong") is True for card in self.cards)

    @property
    def types(self) -> list[str]:
        """The types of samples to filter by; none if all have the same."""
        counts = Counter(name for card in self.cards for name in card.get("type", ()))
        return sorted(counts)[:TYPES] if len(counts) > 1 else []

    @property
    def flips(self) -> list[tuple[str, int]]:
        """The kinds of changes since the baseline, with their numbers."""
        counts = Counter(card["was"]["flip"] for card in self.cards if "was" in card)
        return [(name, counts[name]) for name in FLIPS if name in counts]

    @property
    def sorts(self) -> list[tuple[str, str]]:
        """The orders of samples, the first of which is the default."""
        changed = [("change", "largest loss first")] if self.flips else []
        scored = [("worst", "worst first"), ("best", "best first")] if self.samples.measures else []
        sure = [("sure", "surest first")] if any("sure" in card for card in self.cards) else []
        return [*changed, *scored, ("given", "as annotated"), *sure]

    @property
    def first(self) -> str:
        """A sentence about the samples that stand in the page as plain HTML."""
        order = {"change": ", the changed ones first", "worst": ", the worst first"}
        which = order.get(self.sorts[0][0], "")
        return (
            f"{len(self.static)} of {len(self.samples):,} samples{which}. "
            "With JavaScript, all of them can be searched, filtered and sorted."
        )

    @property
    def published_text(self) -> str:
        """The published number of the primary metric."""
        value = self.published.get(self.primary or "")
        return "–" if value is None else f"{value:.2f}"

    @property
    def interval_chart(self) -> Markup:
        """The primary metric on a scale from 0 to 100."""
        if not self.primary:
            return Markup("–")
        return charts.small_interval(
            self.record.metrics[self.primary],
            self.record.intervals.get(self.primary),
            self.published.get(self.primary),
        )

    @property
    def wrong_text(self) -> str:
        """How many of all samples are wrong."""
        judged = [self.samples.wrong(index) for index in range(len(self.samples))]
        return f"{judged.count(True):,}" if judged and None not in judged else "–"

    @property
    def changed_text(self) -> str:
        """How many samples changed since the baseline."""
        return f"{len(self.changes.by_id):,}" if self.changes else "–"

    @property
    def roles(self) -> list[str]:
        """The roles of the boxes in its pictures."""
        found = {box[0] for card in self.cards for pic in card.get("pics", ()) for box in pic[5]}
        if any("boxes" in card.get("was", {}) for card in self.cards):
            found.add("before")
        order = (TRUTH, PREDICTION, "before", GIVEN, DETECTION)
        return [role for role in order if role in found]

    @property
    def provenance(self) -> Sequence[tuple[str, Facts]]:
        """Everything that determined the numbers, in groups."""
        record = self.record
        own = {
            "protocol": record.protocol,
            "task version": record.task_version,
            "samples": record.n,
            "settings": record.settings,
        }
        groups: Mapping[str, Mapping[str, Any]] = {
            "Protocol": own,
            "Weights": record.checkpoint,
            "Data": record.data,
            "Packages, commit and processor": record.software,
            "Predictions": record.predictions,
            "Inputs": record.inputs,
        }
        return [(name, list(_flattened(facts))) for name, facts in groups.items() if facts]


def build_section(
    slug: str,
    result: StoredResult,
    *,
    source: DataSource,
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
                changes = Changes(changes_since(before, result), StoredSamples(before, source))
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
    order = worst_first(section.samples)
    if section.changes and section.flips:
        changed = [section.samples.index(id) for id in section.changes.by_id]
        order = list(dict.fromkeys([*_losses_first(section, changed), *order]))
    chosen = (by_id.get(str(ids[index])) for index in order)
    return [card for card, _ in zip(filter(None, chosen), range(number), strict=False)]


def in_order(results: Sequence[StoredResult]) -> list[StoredResult]:
    """Return results by task and split in the order of the registry, unknown tasks last."""
    names = task_names()

    def key(result: StoredResult) -> tuple[Any, ...]:
        record = result.record
        known = record.task in names
        splits = find_task(record.task).splits if known else ()
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


def _flattened(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested values as (`outer: inner`, text)."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}: ")
        elif isinstance(value, list) and value:
            yield f"{prefix}{name}", "; ".join(map(str, value))
        elif value not in (None, []):
            yield f"{prefix}{name}", str(value)
