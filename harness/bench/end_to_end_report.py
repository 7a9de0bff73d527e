"""The end-to-end measurements of `xvlm-eval bench`: JSON for machines, a table for people."""

from collections.abc import Sequence
from typing import Any

from harness.bench.end_to_end import EndToEnd
from harness.rendering import Table

COLUMNS = {
    "benchmark": "benchmark",
    "samples": "samples",
    "authors": "authors' way",
    "engine": "run",
    "ratio": "ratio",
    "intervals": "of it intervals",
    "metric_ratio": "ratio without them",
    "floor": "floor",
    "difference": "max difference",
    "results": "results",
}


def as_json(measured: Sequence[EndToEnd]) -> dict[str, Any]:
    """Return all measurements in JSON's types."""
    return {"agree": all(each.agree for each in measured), "end_to_end": list(map(_row, measured))}


def table(measured: Sequence[EndToEnd]) -> Table:
    """Return the measurements as a table for people."""
    rows = [
        {
            "benchmark": each.benchmark,
            "samples": f"{each.samples:,}",
            "authors": f"{each.authors.processor_s:.2f} s",
            "engine": f"{each.engine.processor_s:.2f} s",
            "ratio": f"{each.ratio:.2f}",
            "intervals": f"{each.engine.intervals_s:.2f} s",
            "metric_ratio": f"{each.metric_ratio:.2f}",
            "floor": None if each.floor is None else f"{each.floor:.1f}",
            "difference": f"{each.largest_difference:.1e}",
            "results": "the same" if each.agree else "NOT THE SAME",
        }
        for each in measured
    ]
    return Table("From image files to records: processor time, one thread", rows, COLUMNS)


def _row(measured: EndToEnd) -> dict[str, Any]:
    sides = {"authors": measured.authors, "engine": measured.engine}
    times = {
        f"{name}_{kind}": getattr(side, kind)
        for name, side in sides.items()
        for kind in ("start_s", "processor_s", "intervals_s", "clock_s")
    }
    return {
        "benchmark": measured.benchmark,
        "samples": measured.samples,
        **times,
        "ratio": measured.ratio,
        "metric_ratio": measured.metric_ratio,
        "floor": measured.floor,
        "max_diff": measured.largest_difference,
        "agree": measured.agree,
    }
