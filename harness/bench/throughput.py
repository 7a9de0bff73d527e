"""The engine's throughput on batches as in a run, beside the limits of the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from harness.bench.engine_calls import ENGINE_CALLS, BatchSizes
from harness.bench.fixtures import Fixtures
from harness.bench.profiling import peak_memory, time_call
from harness.engine.device import Device

TURNS = 3  # timed calls, of which the median counts


@dataclass(frozen=True)
class DeviceLimits:
    """The best of the device per second.

    `flops` counts the floating-point operations of a matrix product, `bytes` the bytes read and
    written by a copy.
    """

    flops: float
    bytes: float


@dataclass(frozen=True)
class Rate:
    """The throughput of one engine call, in units (images, texts, ...) per second.

    `compute_share` and `traffic_share` are its operations and its memory traffic as shares, in
    0..1, of the limits of the device. Only torch's operations are counted, not fused kernels.
    """

    unit: str
    per_second: float
    compute_share: float
    traffic_share: float
    peak_bytes: int | None


def measure_limits(device: Device, side: int) -> DeviceLimits:
    """Measure a product and a copy of matrices [side, side] in the device's storage type."""
    dtype = device.storage_dtype
    left, right = (torch.randn(side, side, device=device.torch).to(dtype) for _ in range(2))
    product_s = _median_seconds(lambda: left @ right, device)
    copy_s = _median_seconds(lambda: right.copy_(left), device)
    return DeviceLimits(2 * side**3 / product_s, 2 * left.nbytes / copy_s)


def measure_rates(fixtures: Fixtures, sizes: BatchSizes, limits: DeviceLimits) -> list[Rate]:
    """Measure every engine call that the benchmarks need."""
    device = fixtures.device
    rates = []
    for prepare in ENGINE_CALLS:
        with device.computing():
            unit, count, call = prepare(fixtures, sizes)
        seconds = _median_seconds(call, device)
        peak = peak_memory(partial(time_call, call, device), device)
        with FlopCounterMode(display=False) as counter, _TrafficCounter() as traffic:
            time_call(call, device)
        compute_share = counter.get_total_flops() / seconds / limits.flops
        traffic_share = traffic.bytes / seconds / limits.bytes
        rates.append(Rate(unit, count / seconds, compute_share, traffic_share, peak))
    return rates


def _median_seconds(call: Callable[[], object], device: Device) -> float:
    """Return the median seconds of a call after a warm-up."""
    time_call(call, device)
    return median(time_call(call, device).seconds for _ in range(TURNS))


class _TrafficCounter(TorchDispatchMode):
    """Count the bytes of operands and results; a view of a tensor moves none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            parts = tree_leaves((args, kwargs, result))  # some are in lists, as those of `cat`
            self.bytes += sum(part.nbytes for part in parts if isinstance(part, Tensor))
        return result
