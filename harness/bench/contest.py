"""Two ways to the same results: taking turns, timed, and compared."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.bench.memory import peak_of
from harness.engine.device import Device

TOLERANCE = 1e-4  # between results in float32, as for the goldens
ROUNDING = 1e-5  # scores nearer than this may change places
R = TypeVar("R")


@dataclass(frozen=True)
class Agreement:
    """How two results compare: the largest and the root mean square difference of their numbers, and whether they decide alike.

    Also the `noise`, the differences' root mean square as a share of the numbers' standard deviation (of rankings, in each list), and of
    rankings the `shift`, by how many places an item has moved on average.
    """

    largest: float
    rms: float
    alike: bool
    noise: float | None = None
    shift: float | None = None

    @property
    def holds(self) -> bool:
        return self.alike and self.largest <= TOLERANCE


@dataclass(frozen=True)
class Contest(Generic[R]):
    """What both sides do with the same weights and inputs, and how what comes out is compared (the engine's first)."""

    engine: Callable[[], R]
    literal: Callable[[], R]
    compare: Callable[[R, R], Agreement]


@dataclass(frozen=True)
class Result:
    """Seconds of both sides, the median of several turns; how their results compare; the engine's peak memory in bytes, where known."""

    literal_s: float
    engine_s: float
    agreement: Agreement
    peak: int | None


def hold(contest: Contest[R], device: Device, *, repeat: int) -> Result:
    """Let both sides run once to warm up and to be compared, then `repeat` times in turns.

    The engine computes in the device's precision, the literal side in float32. What the machine does besides hits both alike.
    """
    exactly = Device(device.torch, "float32")
    expected = timed(contest.literal, exactly).value
    agreement = contest.compare(timed(contest.engine, device).value, expected)
    del expected
    peak = peak_of(lambda: timed(contest.engine, device), device)
    engine, literal = [], []
    for _ in range(repeat):
        engine.append(timed(contest.engine, device).seconds)
        literal.append(timed(contest.literal, exactly).seconds)
    return Result(median(literal), median(engine), agreement, peak)


@dataclass(frozen=True)
class Timed(Generic[R]):
    """What a call returned, and the seconds it took."""

    value: R
    seconds: float


def timed(call: Callable[[], R], device: Device) -> Timed[R]:
    """Call in the device's precision and take the time.

    A single thread on a CPU is measured by its own processor time, which others on the machine do not lengthen.
    """
    clock = (
        time.process_time
        if device.torch.type == "cpu" and torch.get_num_threads() == 1
        else time.perf_counter
    )
    with device.computing():
        _wait_for(device)
        start = clock()
        value = call()
        _wait_for(device)
        return Timed(value, clock() - start)


def _wait_for(device: Device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.torch.type == "cuda":
        torch.cuda.synchronize(device.torch)


def numbers(found: Tensor, expected: Tensor) -> Agreement:
    """Compare numbers of the same shape."""
    mine, theirs = _array(found), _array(expected)
    return _compared(mine, theirs, alike=found.shape == expected.shape, noise=_noise(mine, theirs))


def rankings(found: Tensor, expected: Tensor) -> Agreement:
    """Compare scores [rows, n] that rank n items each; -inf where an item is not listed."""
    mine, theirs = _array(found), _array(expected)
    listed = np.isfinite(theirs)
    alike, noise, shift = bool((np.isfinite(mine) >= listed).all()), [], []
    for row, other, there in zip(mine, theirs, listed, strict=True):
        row, other = row[there], other[there]
        order, official = np.argsort(-row, kind="stable"), np.argsort(-other, kind="stable")
        alike &= bool((np.diff(other[order]) <= ROUNDING).all())
        noise.append(_noise(row, other))
        shift.append(float(np.abs(np.argsort(order) - np.argsort(official)).mean()))
    return _compared(
        mine[listed],
        theirs[listed],
        alike=alike,
        noise=float(np.mean(noise)),
        shift=float(np.mean(shift)),
    )


def decisions(
    found: object, expected: object, *, scores: Tensor, expected_scores: Tensor
) -> Agreement:
    """Compare what was decided (answers, tokens), and the scores it was decided by."""
    return _compared(_array(scores), _array(expected_scores), alike=found == expected)


def _compared(
    found: NDArray[np.float64],
    expected: NDArray[np.float64],
    *,
    alike: bool,
    noise: float | None = None,
    shift: float | None = None,
) -> Agreement:
    difference = found - expected
    return Agreement(float(np.abs(difference).max()), _rms(difference), alike, noise, shift)


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().double().cpu().numpy()


def _noise(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return _rms(found - expected) / max(float(expected.std()), ROUNDING)


def _rms(difference: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(difference**2)))
