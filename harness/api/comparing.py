"""Compare results with a baseline: the verdicts of `xvlm-eval check` as data."""

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.results import Results, copy_results
from harness.drift.anchor import Checks, check_all, render_checks, summarise
from harness.drift.check import CheckOutcome
from harness.drift.report import cell_values
from harness.drift.settings import override, read_gates
from harness.drift.verdicts import Cell, Missing
from harness.errors import HarnessWarning, UsageError
from harness.files.paths import expanded, shipped_path
from harness.rendering import Table, render

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric",
    "baseline": "baseline", "now": "now", "difference": "delta", "interval": "95 % interval",
    "p": "p", "verdict": "verdict", "reason": "reason",
}  # fmt: skip


def compare(
    results: Results | str | PathLike[str],
    baseline: Results | str | PathLike[str] | None = None,
    *,
    checkpoint: str | None = None,
    level: float | None = None,
    sides: int | None = None,
    margin: float | None = None,
    margins: Mapping[str, float] | None = None,
    max_changed: float | None = None,
    metrics: Sequence[str] | None = None,
    require: str | None = None,
    fail_on_worse: str | None = None,
    allow_missing: bool | None = None,
) -> "Comparison":
    """Compare results with a baseline, metric by metric, by the rules of docs/drift.md.

    results, baseline  what `evaluate`, `score` or `read_results` returned, or folders. The default
                       baseline is the one that comes with this project, of the embedded benchmark
    checkpoint         compare with the baselines of this checkpoint, whatever the results are of
    allow_missing      whether a baseline may have no result; by default no. Of `Results`, which may
                       be a part of all, such baselines are left out by default

    The others are the flags of `xvlm-eval check`; the default of each is in the `gate.yaml` beside
    the baseline. Raises UsageError for settings that make no sense, MissingError for absent
    folders.

    >>> from harness.api.results import read_results
    >>> shipped = read_results(shipped_path("results"))
    >>> comparison = compare(shipped.filter(task="refcoco+", split="val"), shipped)
    >>> comparison.failed, [str(cell.verdict) for cell in comparison]
    (False, ['identical'])
    """
    partial = allow_missing is None and isinstance(results, Results)
    with (
        tempfile.TemporaryDirectory(prefix="xvlm-eval-") as now,
        tempfile.TemporaryDirectory(prefix="xvlm-eval-") as before,
    ):
        base = [shipped_path("results")] if baseline is None else _folders(baseline, Path(before))
        gate = override(
            read_gates(base),
            level=level,
            sides=sides,
            margin=margin,
            max_changed=max_changed,
            require=require,
            fail_on_worse=fail_on_worse,
            allow_missing=allow_missing,
            metrics=[metrics] if isinstance(metrics, str) else metrics and list(metrics),
        )
        if margins:
            gate = override(gate, margins={**gate.margins, **margins})
        checks = check_all(_folders(results, Path(now)), base, gate=gate, checkpoint=checkpoint)
    for remark in checks.baseline.remarks:
        warnings.warn(remark, HarnessWarning, stacklevel=2)
    return Comparison(_without_missing(checks) if partial else checks)


class Comparison(Sequence[Cell]):
    """The verdict on every metric of results beside a baseline. Made by `compare`.

    Each item has `task`, `split`, `metric`, `verdict`, `baseline`, `now`, `difference`, `interval`,
    `p`, `reason` and `failing`. `checks` is everything that `xvlm-eval check` knows.
    """

    def __init__(self, checks: Checks) -> None:
        self.checks = checks
        outcomes = [checks.baseline, *([checks.anchor] if checks.anchor else [])]
        self._cells = [cell for outcome in outcomes for cell in outcome.cells]

    @property
    def failed(self) -> bool:
        """Whether `xvlm-eval check` would fail."""
        return self.checks.failed

    @property
    def exit_code(self) -> int:
        """The exit code of `xvlm-eval check`: 1 where it fails, else 0."""
        return int(self.failed)

    @property
    def summary(self) -> str:
        """The outcome in a sentence."""
        return summarise(self.checks)

    @property
    def failing(self) -> list[Cell]:
        """The metrics that make it fail."""
        return [cell for cell in self if cell.failing]

    def __getitem__(self, index: Any) -> Any:
        return self._cells[index]

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells)

    def table(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each metric."""
        import pandas as pd

        rows = []
        for row in map(_row, self):
            interval = row.pop("interval")
            low, high = (None, None) if interval is None else interval
            rows.append({**row, "low": low, "high": high})
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return render_checks(self.checks, "terminal")

    def _repr_html_(self) -> str:
        return render([Table(self.summary, list(map(_row, self)), COLUMNS)], "html")


def _without_missing(checks: Checks) -> Checks:
    """Leave out the baselines that have no result."""

    def without(outcome: CheckOutcome) -> CheckOutcome:
        others = [cell for cell in outcome.others if not isinstance(cell.outcome, Missing)]
        return replace(outcome, others=others)

    anchor = None if checks.anchor is None else without(checks.anchor)
    return replace(checks, baseline=without(checks.baseline), anchor=anchor)


def _row(cell: Cell) -> dict[str, Any]:
    values = cell_values(cell)
    row = {name: values[name] for name in COLUMNS}
    return {**row, "verdict": str(cell.verdict), "failing": cell.failing}


def _folders(results: Results | str | PathLike[str], temporary: Path) -> list[Path]:
    """Return folders that hold these results and no others. Raises UsageError for a wrong type."""
    if not isinstance(results, Results):
        if not isinstance(results, str | PathLike):
            raise UsageError(
                "results should be those of evaluate, score or read_results, or a folder, not "
                f"{results!r:.80}"
            )
        return [expanded(fspath(results))]
    if results.complete:
        return [results.folder, *results.others]
    roots: dict[Path, Path] = {}
    for result in results:  # results of one name, of several folders, stay apart
        root = result.path.parents[1]
        copy_results([result], roots.setdefault(root, temporary / str(len(roots))))
    return list(roots.values()) or [temporary]
