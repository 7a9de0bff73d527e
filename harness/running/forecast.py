"""Forecast a run before it begins: its work, its memory, and about how long it will take.

The work follows from the data and the sizes of the model. Its time is measured on a few samples,
decoded and predicted as in a run, and extrapolated by the operations that they cost.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from harness.capabilities import Model
from harness.errors import DataError
from harness.rendering import Table
from harness.running.batch_size import fitting_batch_size
from harness.running.loader import load_batches
from harness.running.prepared import collate_of
from harness.running.run import Speed
from harness.running.runners import predict_samples
from harness.task import Sample, Task, workload_of
from harness.workload import CostModel, Workload

PROBE_SECONDS = 3.0  # no probe begins later than this,
MAX_PROBES = 8  # nor after this number of them;
MIN_PROBES = 2  # but always two: a first call also warms up what all later calls reuse
TITLE = "What the runs will take"
COLUMNS = {
    "task": "task",
    "split": "split",
    "samples": "samples",
    "images": "images",
    "pairs_shown": "pairs",
    "flops_shown": "operations",
    "batch_size": "batch size",
    "memory_shown": "peak memory",
    "time_shown": "time, about",
}


@dataclass(frozen=True)
class Forecast:
    """What one task on one split will take on one process.

    pairs, pairs_at_most  image-text pairs to compute; where they differ, the model decides
    flops                 operations for `pairs`; None for a model without a cost model
    peak_bytes            memory of the device, with what this process already takes; or None
    seconds               estimated from a probe of `probe_samples` that took `probe_seconds`
    """

    task: str
    split: str
    samples: int
    images: int
    pairs: int
    pairs_at_most: int
    flops: float | None
    batch_size: int
    peak_bytes: float | None
    seconds: float
    probe_samples: int
    probe_seconds: float

    def row(self) -> dict[str, Any]:
        """Return the forecast as a row of a table, with its numbers also as people read them."""
        at_most = f" to {self.pairs_at_most:,}" if self.pairs_at_most > self.pairs else ""
        return asdict(self) | {
            "pairs_shown": f"{self.pairs:,}{at_most}",
            "flops_shown": None if self.flops is None else _in_units(self.flops),
            "memory_shown": None if self.peak_bytes is None else f"{self.peak_bytes / 1e9:.1f} GB",
            "time_shown": _duration(self.seconds),
        }


def table(forecasts: Sequence[Forecast]) -> Table:
    """Return forecasts as a table for people."""
    return Table(TITLE, [forecast.row() for forecast in forecasts], COLUMNS)


def forecast(
    task: Task, split: str, model: Model, samples: Sequence[Sample], *, speed: Speed
) -> Forecast:
    """Return what predicting the samples will take. Predicts a few of them; writes nothing.

    Raises DataError for a split without samples.
    """
    if not samples:
        raise DataError(f"{task.name} {split}: the annotations hold no sample of this split")
    workload = workload_of(task, model, samples)
    batch_size = speed.batch_size or fitting_batch_size(task, model, samples)
    flops = peak_bytes = None
    if isinstance(model, CostModel):
        cost, batch = model.cost(workload), workload.part(min(batch_size, len(samples)))
        flops = cost.flops
        peak_bytes = (
            model.memory_budget().taken + cost.resident_bytes + model.cost(batch).peak_batch_bytes
        )
    probes = _probes(task, model, samples, batch_size=batch_size, workers=speed.workers)
    return Forecast(
        task=task.name,
        split=split,
        samples=workload.samples,
        images=workload.images,
        pairs=workload.pairs,
        pairs_at_most=workload.pairs_at_most,
        flops=flops,
        batch_size=batch_size,
        peak_bytes=peak_bytes,
        seconds=_extrapolate(model, workload, probes),
        probe_samples=max(probe.workload.samples for probe in probes),
        probe_seconds=sum(probe.loading + probe.computing for probe in probes),
    )


class _Probe(NamedTuple):
    """The workload of some samples, and the seconds to load their images and to predict them."""

    workload: Workload
    loading: float
    computing: float


def _probes(
    task: Task, model: Model, samples: Sequence[Sample], *, batch_size: int, workers: int
) -> list[_Probe]:
    """Predict one sample, then twice as many again and again, up to a batch, for PROBE_SECONDS."""
    probes: list[_Probe] = []
    deadline, count = time.monotonic() + PROBE_SECONDS, 1
    while len(probes) < MAX_PROBES and (len(probes) < MIN_PROBES or time.monotonic() < deadline):
        probes.append(_probe(task, model, samples[:count], workers=workers))
        count = min(2 * count, batch_size, len(samples))
    return probes


def _probe(task: Task, model: Model, samples: Sequence[Sample], *, workers: int) -> _Probe:
    started = time.monotonic()
    batches = list(
        load_batches([samples], model.prepare, workers=workers, collate=collate_of(model))
    )
    loaded = time.monotonic()
    predict_samples(task, model, samples, batches)
    return _Probe(workload_of(task, model, samples), loaded - started, time.monotonic() - loaded)


def _extrapolate(model: Model, workload: Workload, probes: Sequence[_Probe]) -> float:
    """Return the seconds for a workload: those of loading or of computing, whichever is slower.

    A run loads ahead while it computes. The fastest probe counts: first calls and small batches
    are slow, and the machine does something else now and then.
    """
    computing = min(p.computing * _cost_ratio(model, workload, p.workload) for p in probes)
    loading = min(p.loading * workload.images / p.workload.images for p in probes)
    return max(computing, loading)


def _cost_ratio(model: Model, workload: Workload, probe: Workload) -> float:
    """Return how many times the cost of a probe a workload costs."""
    if isinstance(model, CostModel):
        return model.cost(workload).flops / model.cost(probe).flops
    return workload.samples / probe.samples


def _in_units(operations: float) -> str:
    """Return operations for people, as in `6.87 PFLOP`."""
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9)):
        if operations >= size:
            return f"{operations / size:.3g} {unit}FLOP"
    return f"{operations / 1e6:.3g} MFLOP"


def _duration(seconds: float) -> str:
    """Return seconds as `45 s`, `12 min` or `3.5 h`: an estimate has no more digits."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
