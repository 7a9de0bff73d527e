"""Warn what runs will take before they are begun: how much there is to do, in how much memory, and about how long.

What there is to do follows from the data and the sizes of the model. How long that takes is measured on a few samples, decoded and
predicted as in a run, and taken on to all of them by the operations that they cost.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from harness.capabilities import Model
from harness.errors import DataError
from harness.rendering import Table
from harness.running.loader import load_batches
from harness.running.predict import Speed, fitting_batch_size
from harness.task import Sample, Task, Work
from harness.workload import CostModel, Workload

PROBE_SECONDS = 3.0  # after which no further probe is begun, ...
PROBES = 8  # ... or after so many
AT_LEAST = 2  # probes whatever they take: a first call also makes what is kept for all others
COLUMNS = {
    "task": "task", "split": "split", "samples": "samples", "images": "images", "pairs_shown": "pairs", "flops_shown": "operations",
    "batch_size": "batch size", "memory_shown": "peak memory", "time_shown": "time, about",
}  # fmt: skip
TITLE = "What the runs will take"


@dataclass(frozen=True)
class Forecast:
    """What one task on one split will take, on one process; None where the model does not tell its costs.

    `pairs` of texts and what they look at, or up to `pairs_at_most`; `flops` operations for `pairs`; `peak_bytes` of the device's memory,
    what this process already takes included. `seconds` were estimated from a probe of so many samples.
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
        """Return the forecast as a row of a table, every number also as people read it."""
        return asdict(self) | {
            "pairs_shown": f"{self.pairs:,}"
            + (f" to {self.pairs_at_most:,}" if self.pairs_at_most > self.pairs else ""),
            "flops_shown": None if self.flops is None else _in_units(self.flops),
            "memory_shown": None if self.peak_bytes is None else f"{self.peak_bytes / 1e9:.1f} GB",
            "time_shown": _duration(self.seconds),
        }


def table(forecasts: Sequence[Forecast]) -> Table:
    """Return what people are shown."""
    return Table(TITLE, [forecast.row() for forecast in forecasts], COLUMNS)


def forecast(
    task: Task, split: str, model: Model, samples: Sequence[Sample], *, speed: Speed
) -> Forecast:
    """Say what predicting the samples will take. Reads and predicts a few of them; writes nothing.

    Raises DataError where there are none.
    """
    if not samples:
        raise DataError(f"{task.name} {split}: the annotations hold no sample of this split")
    workload = task.workload(samples)
    size = speed.batch_size or fitting_batch_size(task, model, samples)
    costs = model.cost(workload) if isinstance(model, CostModel) else None
    peak = None
    if isinstance(model, CostModel) and costs:
        peak = (
            model.memory_budget().taken
            + costs.resident_bytes
            + model.cost(workload.part(min(size, len(samples)))).peak_batch_bytes
        )
    probes = _probes(task, model, samples, size=size, workers=speed.workers)
    return Forecast(
        task=task.name,
        split=split,
        samples=workload.samples,
        images=workload.images,
        pairs=workload.pairs,
        pairs_at_most=workload.pairs_at_most,
        flops=costs.flops if costs else None,
        batch_size=size,
        peak_bytes=peak,
        seconds=_seconds(
            model, workload, [(task.workload(probe.samples), probe) for probe in probes]
        ),
        probe_samples=max(len(probe.samples) for probe in probes),
        probe_seconds=sum(probe.loading + probe.computing for probe in probes),
    )


class _Probe(NamedTuple):
    """Samples, and the seconds that it took to load their images, and to predict them."""

    samples: Sequence[Sample]
    loading: float
    computing: float


def _probes(
    task: Task, model: Model, samples: Sequence[Sample], *, size: int, workers: int
) -> list[_Probe]:
    """Predict one sample, then twice as many again and again, up to a batch, until PROBE_SECONDS are over; AT_LEAST twice."""
    probes: list[_Probe] = []
    ends, count = time.monotonic() + PROBE_SECONDS, 1
    while len(probes) < PROBES and (len(probes) < AT_LEAST or time.monotonic() < ends):
        probes.append(_timed(task, model, samples[:count], workers=workers))
        count = min(2 * count, size, len(samples))
    return probes


def _timed(task: Task, model: Model, samples: Sequence[Sample], *, workers: int) -> _Probe:
    began = time.monotonic()
    batches = list(load_batches([samples], model.prepare, workers=workers))
    loaded = time.monotonic()
    work = Work(
        samples,
        frozenset(sample.id for sample in samples),
        lambda _: iter(batches),
        lambda value: [value],
    )
    for _ in task.answer(model, work):
        pass
    return _Probe(samples, loaded - began, time.monotonic() - loaded)


def _seconds(model: Model, workload: Workload, probed: Sequence[tuple[Workload, _Probe]]) -> float:
    """Return how long a demand will take: as long as loading or computing, whichever is slower, since a run loads ahead.

    The fastest probe counts: first calls are slow, small batches too, and now and then the machine does something else.
    """
    computing = min(probe.computing * _times_more(model, workload, part) for part, probe in probed)
    loading = min(probe.loading * workload.images / part.images for part, probe in probed)
    return max(computing, loading)


def _times_more(model: Model, workload: Workload, probed: Workload) -> float:
    """Return how many times as much a demand costs as the one that was probed."""
    if isinstance(model, CostModel):
        return model.cost(workload).flops / model.cost(probed).flops
    return workload.samples / probed.samples


def _in_units(operations: float) -> str:
    """Return `6.87 PFLOP`."""
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9)):
        if operations >= size:
            return f"{operations / size:.3g} {unit}FLOP"
    return f"{operations / 1e6:.3g} MFLOP"


def _duration(seconds: float) -> str:
    """Return `45 s`, `12 min` or `3.5 h`: an estimate has no more digits."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
