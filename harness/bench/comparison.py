"""Run two implementations of the same computation in turns, and compare times and results."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

from harness.bench.agreement import Agreement
from harness.bench.products import Products, measure_products
from harness.bench.profiling import peak_memory, time_call
from harness.engine.device import Device

R = TypeVar("R")


@dataclass(frozen=True)
class Comparison(Generic[R]):
    """The engine's and the literal computation on the same weights and inputs.

    `compare` takes the engine's result first.
    """

    engine: Callable[[], R]
    literal: Callable[[], R]
    compare: Callable[[R, R], Agreement]


@dataclass(frozen=True)
class ComparisonResult:
    """The median seconds of both sides, how their results agree, and the engine's peak memory.

    `peak_bytes` is None where the system does not report it, `products` where oneDNN computes none.
    """

    literal_s: float
    engine_s: float
    agreement: Agreement
    peak_bytes: int | None
    products: Products | None


def run_comparison(comparison: Comparison[R], device: Device, *, repeat: int) -> ComparisonResult:
    """Run both sides once to warm up and to compare results, then `repeat` times in turns.

    The engine computes in the device's precision, the literal side in float32. Turns expose both
    sides to the same load of the machine.
    """
    float32 = Device(device.torch, "float32")
    expected = time_call(comparison.literal, float32).value
    agreement = comparison.compare(time_call(comparison.engine, device).value, expected)
    del expected
    peak = peak_memory(lambda: time_call(comparison.engine, device), device)
    engine, literal = [], []
    for _ in range(repeat):
        engine.append(time_call(comparison.engine, device).seconds)
        literal.append(time_call(comparison.literal, float32).seconds)
    products = measure_products(comparison.engine, device, turns=repeat)
    return ComparisonResult(median(literal), median(engine), agreement, peak, products)
