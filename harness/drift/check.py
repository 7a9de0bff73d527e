"""Is this number still the number? Compare results with a baseline, metric by metric, and say which have drifted.

With an identical fingerprint (weights, data, protocol, version of the task, packages, device, processor, batch size) the same predictions
are due, but for the last digits of their numbers: any other one is drift. Otherwise the two runs are tested on the same samples: a metric
has drifted where the drop is significant over all metrics together, lies beyond its margin, and the interval of the difference excludes
none. `docs/drift.md` says why and how well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.drift.baselines import baseline_of
from harness.drift.environment import Difference, fingerprint, inputs_changed
from harness.drift.samples import Change, Moved, changed_samples, moved
from harness.errors import DataError
from harness.records.stored import Result, find_results
from harness.statistics.interval import LEVEL, Interval

if TYPE_CHECKING:
    from harness.statistics.sums import Statistic

IDENTICAL, SAME, IMPROVED, DRIFTED, REFUSED = (
    "identical",
    "same",
    "improved",
    "drifted",
    "not comparable",
)
FAILING = (DRIFTED, REFUSED)
# Margins of non-inferiority: a smaller drop is never called drift, however sure it is. In points; the tables of the paper have one decimal.
MARGIN = 0.1
MARGINS = {"cider": 0.5, "bleu1": 0.2, "bleu2": 0.2, "bleu3": 0.2, "bleu4": 0.2}
ROUNDING = 1e-6  # points: a sum in another order
LEAST_DRAWS = 2_000


@dataclass(frozen=True)
class Cell:
    """One metric of one result beside its baseline.

    `worse` and `better` count units (questions, queries, images, of mAP attributes) that got less and more; `p` is two-sided and adjusted
    for all cells; `no_worse` tells whether the interval excludes a drop beyond the margin. None is what was not tested.
    """

    checkpoint: str
    task: str
    split: str
    metric: str
    baseline: float | None = None
    now: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    p: float | None = None
    worse: int | None = None
    better: int | None = None
    no_worse: bool | None = None
    verdict: str = SAME
    reason: str = ""


@dataclass(frozen=True)
class Compared:
    """A result beside its baseline: whether the same predictions were due (`exact`), if not why not, and what changed.

    `moved` are the changed samples, None where that cannot be told; `changes` the same in words, the most important first.
    """

    title: str
    baseline: Path
    exact: bool
    differences: Sequence[Difference]
    inputs: str
    moved: Moved | None
    samples: int
    changes: Sequence[Change]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Check:
    """What came out of a check. `missing` are baselines without a result."""

    compared: Sequence[Compared]
    refused: Sequence[Cell]
    missing: Sequence[str]

    @property
    def cells(self) -> list[Cell]:
        """Every cell, refused ones included."""
        return [*(cell for pair in self.compared for cell in pair.cells), *self.refused]

    @property
    def failed(self) -> bool:
        """Whether a metric drifted, a result could not be compared, or there was nothing to compare."""
        return not self.cells or any(cell.verdict in FAILING for cell in self.cells)


def check(
    results: Path, baseline: Path, *, checkpoint: str | None = None, require_all: bool = False
) -> Check:
    """Compare every result of a folder with its baseline: that of the same checkpoint, or of the one called `checkpoint`.

    `require_all` counts a baseline without a result as a failure. Raises MissingError where one of them is no folder.
    """
    now, before = find_results(results), find_results(baseline)
    refused = [
        Cell("", "", "", "", verdict=REFUSED, reason=reason)
        for reason in (*now.refused, *before.refused)
    ]
    pairs: list[tuple[Result, Result]] = []
    for result in now.found:
        try:
            pairs.append((baseline_of(result, before, checkpoint=checkpoint), result))
        except DataError as error:
            refused.append(_refused(result, str(error)))
    taken = {base.path for base, _ in pairs}
    missing = [
        f"{base.title}: has a baseline and no result"
        for base in before.found
        if base.path not in taken
    ]
    if require_all:
        refused += [
            _refused(base, "has a baseline and no result")
            for base in before.found
            if base.path not in taken
        ]
    draws = enough_draws(sum(len(result.record.metrics) for _, result in pairs))
    compared = [_compared(base, result, draws=draws) for base, result in pairs]
    judged = iter(judge([cell for pair in compared for cell in pair.cells]))
    return Check(
        [replace(pair, cells=[next(judged) for _ in pair.cells]) for pair in compared],
        refused,
        missing,
    )


def _compared(base: Result, result: Result, *, draws: int) -> Compared:
    """Compare a result with its baseline; whether a drop is drift is judged later, over all cells."""
    differences = fingerprint(base.record, result.record)
    try:
        found = moved(base, result)
        if not any(found) and base.record.task_version == result.record.task_version:
            cells = [_rescored(base, result, metric) for metric in _metrics(base, result)]
        else:
            cells = [
                _tested(base, result, metric, draws=draws) for metric in _metrics(base, result)
            ]
        if not differences:
            cells = _exact(result, cells, len(found.changed))
        changes = changed_samples(base, result) if any(found) else []
    except DataError as error:
        found, changes, cells = None, [], [_refused(result, str(error))]
    return Compared(
        title=result.title,
        baseline=base.path,
        exact=not differences,
        differences=differences,
        inputs=inputs_changed(base.record, result.record),
        moved=found,
        samples=result.record.n,
        changes=changes,
        cells=cells,
    )


def _metrics(base: Result, result: Result) -> list[str]:
    return list(dict.fromkeys([*base.record.metrics, *result.record.metrics]))


def _cell(base: Result, result: Result, metric: str) -> Cell:
    """Return a cell with what both sides say of a metric."""
    was, is_now = base.record.metrics.get(metric), result.record.metrics.get(metric)
    difference = None if was is None or is_now is None else is_now - was
    return replace(_named(result, metric), baseline=was, now=is_now, difference=difference)


def _rescored(base: Result, result: Result, metric: str) -> Cell:
    """Judge a metric of the same predictions: they are due the same score, whatever has changed."""
    cell = _cell(base, result, metric)
    if cell.difference is None:
        return replace(cell, verdict=REFUSED, reason=_one_sided(cell))
    if abs(cell.difference) > ROUNDING:
        return replace(cell, verdict=DRIFTED, reason="the same predictions score differently")
    return replace(
        cell,
        difference=0.0,
        interval=Interval(0.0, 0.0),
        p=1.0,
        worse=0,
        better=0,
        no_worse=True,
        verdict=IDENTICAL,
    )


def _tested(base: Result, result: Result, metric: str, *, draws: int) -> Cell:
    """Test whether a metric differs, unit by unit."""
    cell = _cell(base, result, metric)
    before, after = (side.contributions.statistics.get(metric) for side in (base, result))
    if cell.difference is None:
        return replace(cell, verdict=REFUSED, reason=_one_sided(cell))
    if before is None or after is None or len(before.each()) != len(after.each()):
        return replace(
            cell, verdict=REFUSED, reason="what each sample contributed to this metric was not kept"
        )
    return tested(cell, before, after, draws=draws)


def tested(cell: Cell, before: "Statistic", after: "Statistic", *, draws: int) -> Cell:
    """Return a cell with its test; whether it has drifted is judged over all cells, by `judge`."""
    from harness.statistics.paired import compare

    found = compare(before, after, draws=draws)
    unmoved = not any(found.flips) and abs(found.difference) <= ROUNDING
    return replace(
        cell,
        difference=found.difference,
        interval=found.interval,
        p=found.p,
        worse=found.flips.worse,
        better=found.flips.better,
        no_worse=found.interval.low > -margin(cell.metric),
        verdict=IDENTICAL if unmoved else SAME,
    )


def judge(cells: Sequence[Cell]) -> list[Cell]:
    """Judge the cells that were tested, each p adjusted for all of them together."""
    from harness.statistics.paired import holm

    adjusted = iter(holm([cell.p for cell in cells if cell.p is not None]))
    return [cell if cell.p is None else _verdict(replace(cell, p=next(adjusted))) for cell in cells]


def enough_draws(cells: int) -> int:
    """Return how often to swap at random, so that the smallest p that can be drawn is a sign of drift among so many cells."""
    return max(LEAST_DRAWS, round(2 * cells / (1 - LEVEL)))


def _exact(result: Result, cells: Sequence[Cell], changed: int) -> list[Cell]:
    """Judge the metrics of predictions that were due to be the same; where the truths are hidden, the predictions themselves."""
    judged = [
        replace(cell, p=None)
        for cell in cells or [replace(_named(result, "predictions"), verdict=IDENTICAL)]
    ]
    reason = "the last digits of predictions moved, and with them this metric"
    if changed:
        reason = f"{changed} of {result.record.n} predictions changed, although nothing did that they depend on"
    unmoved = (REFUSED, DRIFTED) if changed else (REFUSED, DRIFTED, IDENTICAL)
    return [
        cell if cell.verdict in unmoved else replace(cell, verdict=DRIFTED, reason=reason)
        for cell in judged
    ]


def _verdict(cell: Cell) -> Cell:
    """Judge a tested cell: all three have to agree before a change is called one."""
    if (
        cell.p is None
        or cell.difference is None
        or cell.interval is None
        or cell.verdict == IDENTICAL
    ):
        return cell
    significant = cell.p < 1 - LEVEL and not cell.interval.low <= 0 <= cell.interval.high
    if significant and abs(cell.difference) > margin(cell.metric):
        return replace(cell, verdict=DRIFTED if cell.difference < 0 else IMPROVED)
    return cell


def margin(metric: str) -> float:
    """Return the margin of a metric, in points."""
    return MARGINS.get(metric, MARGIN)


def _named(result: Result, metric: str) -> Cell:
    record = result.record
    return Cell(record.checkpoint["name"], record.task, record.split, metric)


def _refused(result: Result, reason: str) -> Cell:
    return replace(_named(result, ""), verdict=REFUSED, reason=reason)


def _one_sided(cell: Cell) -> str:
    return (
        "only the baseline has this metric"
        if cell.now is None
        else "the baseline does not have this metric"
    )
