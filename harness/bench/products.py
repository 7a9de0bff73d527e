"""The matrix products of a stage: their share of its time, and their speed beside oneDNN alone.

Every linear map of a network on a CPU in float32 is one product of oneDNN with a prepacked weight
(`harness/engine/matmul.py`). It is timed twice: where the stage calls it, and by itself, on the
same weights in turns, so that they come from the same cache.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)

from harness.bench.profiling import time_call
from harness.engine.device import Device
from harness.engine.matmul import PrepackedLinear

ALONE_S = 0.05  # seconds for which the products of one shape are repeated
TURNS = 3  # of which the fastest counts


@dataclass(frozen=True)
class Products:
    """The products of one call of a stage, in processor seconds of a single thread.

    `total_s` is the stage's time, `products_s` the time of its products within it, and `alone_s`
    that of the same products by themselves.
    """

    total_s: float
    products_s: float
    alone_s: float

    @property
    def share(self) -> float:
        """The share of the stage's time that its products take, in 0..1."""
        return self.products_s / self.total_s

    @property
    def efficiency(self) -> float:
        """The time of the products by themselves as a share of their time in the stage."""
        return self.alone_s / self.products_s


class _Shape(NamedTuple):
    """A product of states [.., inputs] and a weight [outputs, inputs]; a GELU may follow."""

    states: tuple[int, ...]
    outputs: int
    post_op: str


@dataclass
class _Calls:
    """The calls of products of one shape, and the maps that compute them."""

    count: int = 0
    seconds: float = 0.0
    maps: dict[int, nn.Module] = field(default_factory=dict)


def measure_products(
    call: Callable[[], object], device: Device, *, turns: int = 1
) -> Products | None:
    """Measure the products of a call; None on a GPU, and where oneDNN computes none.

    The fastest of several `turns` counts, for the products by themselves too.
    """
    if device.torch.type != "cpu":
        return None
    total_s, calls = min((_time_products(call, device) for _ in range(turns)), key=itemgetter(0))
    if not calls:
        return None
    with device.computing():
        alone_s = sum(_time_alone(shape, of_shape) for shape, of_shape in calls.items())
    return Products(total_s, sum(of_shape.seconds for of_shape in calls.values()), alone_s)


def _time_products(
    call: Callable[[], object], device: Device
) -> tuple[float, dict[_Shape, _Calls]]:
    """Return the seconds of a call, and those of its products by their shape."""
    calls: dict[_Shape, _Calls] = {}
    with _timing_products(calls):
        return time_call(call, device).seconds, calls


@contextmanager
def _timing_products(calls: dict[_Shape, _Calls]) -> Iterator[None]:
    """Add the time of every product within the block to `calls`."""
    begin = 0.0

    def before(module: nn.Module, states: Any) -> None:
        nonlocal begin
        begin = time.thread_time()

    def after(module: nn.Module, states: Any, result: Any) -> None:
        if isinstance(module, PrepackedLinear):
            seconds = time.thread_time() - begin
            shape = _Shape(tuple(states[0].shape), result.shape[-1], module.post_op)
            of_shape = calls.setdefault(shape, _Calls())
            of_shape.count += 1
            of_shape.seconds += seconds
            of_shape.maps[id(module)] = module

    hooks = register_module_forward_pre_hook(before), register_module_forward_hook(after)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _time_alone(shape: _Shape, calls: _Calls) -> float:
    """Return the seconds of as many products of a shape, by themselves."""
    states, maps = torch.randn(shape.states), list(calls.maps.values())
    for each in maps:
        each(states)
    return calls.count * min(_mean_seconds(maps, states) for _ in range(TURNS))


def _mean_seconds(maps: Sequence[nn.Module], states: Tensor) -> float:
    """Return the mean seconds of a product, over at least ALONE_S / TURNS."""
    done, seconds, begin = 0, 0.0, time.thread_time()
    while seconds < ALONE_S / TURNS:
        for each in maps:
            each(states)
        done += len(maps)
        seconds = time.thread_time() - begin
    return seconds / done
