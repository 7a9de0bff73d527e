"""A result in the report: everything that the page shows of it but its tables."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from harness.records.record import ResultRecord
from harness.records.stored import StoredResult
from harness.registry import known_task
from harness.report import charts
from harness.report.baseline import FLIPS, Changes
from harness.report.figures import Figure
from harness.report.gallery import Card
from harness.running.stored.samples import StoredSamples
from harness.sample_view import DETECTION, GIVEN, PREDICTION, TRUTH
from harness.tables.comparison import display_name

TYPES = 100  # at most, in the menu
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
        task = known_task(self.record.task)
        primary = task.primary if task else ""
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
        by_confidence = (
            [("sure", "surest first")] if any("sure" in card for card in self.cards) else []
        )
        return [*changed, *scored, ("given", "as annotated"), *by_confidence]

    @property
    def first(self) -> str:
        """A sentence about the samples that stand in the page as plain HTML."""
        order = {"change": ", the changed ones first", "worst": ", the worst first"}
        shown_first = order.get(self.sorts[0][0], "")
        return (
            f"{len(self.static)} of {len(self.samples):,} samples{shown_first}. "
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
        name, record = self.primary, self.record
        value, interval = record.metrics[name], record.intervals.get(name)
        return charts.small_interval(
            charts.Measured(name, value, interval, self.published.get(name))
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


def _flattened(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested values as (`outer: inner`, text)."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}: ")
        elif isinstance(value, list) and value:
            yield f"{prefix}{name}", "; ".join(map(str, value))
        elif value not in (None, []):
            yield f"{prefix}{name}", str(value)
