"""Steps of a decoder, captured once as CUDA graphs and replayed: the host starts one, not hundreds.

A step is a function without arguments or result: it reads and writes preallocated tensors of fixed
shapes. Its key names everything else that it depends on. `StepGraphs` runs a step as it is the
first time, which compiles its kernels, captures it the second time, and replays it from then on;
`PlainSteps` always runs it as it is, with the same result.
"""

import warnings
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import cache
from typing import Any, Protocol

import torch

from harness.files.environment import is_on

STEP_GRAPHS = "XVLM_EVAL_STEP_GRAPHS"
Step = Callable[[], None]


def choose_step_graphs(device: torch.device) -> bool:
    """Return whether steps are replayed: on a GPU, where it is asked for.

    Raises UsageError for an unknown setting.
    """
    return is_on(STEP_GRAPHS) and device.type == "cuda"


class Steps(Protocol):
    """How the steps of one decoder are run."""

    def run(self, key: Hashable, step: Step) -> None:
        """Run a step; steps of one key do the same to the same tensors."""
        ...

    def forget(self) -> None:
        """Forget all steps: their tensors are about to be replaced."""
        ...


class PlainSteps:
    """Run every step as it is."""

    def run(self, key: Hashable, step: Step) -> None:
        step()

    def forget(self) -> None:
        pass


def steps_for(device: torch.device) -> Steps:
    """Return how the steps of a decoder on a device are run."""
    return StepGraphs() if device.type == "cuda" else PlainSteps()


class StepGraphs:
    """Capture and replay steps; run them as they are once a capture has failed."""

    def __init__(self, capture: Callable[[Step, Any], Any] | None = None) -> None:
        """`capture` takes a step and a graph to share memory with, and returns a graph."""
        self._capture = capture or capture_cuda_graph
        self._graphs: dict[Hashable, Any] = {}
        self._usable = True

    def run(self, key: Hashable, step: Step) -> None:
        if not self._usable:
            step()
        elif key not in self._graphs:
            step()
            self._graphs[key] = None
        elif (graph := self._graphs[key] or self._captured(key, step)) is None:
            step()
        else:
            graph.replay()

    def forget(self) -> None:
        self._graphs.clear()

    def _captured(self, key: Hashable, step: Step) -> Any:
        """Capture a step; return None, and warn once, where that fails."""
        other = next((graph for graph in self._graphs.values() if graph is not None), None)
        try:
            graph = self._graphs[key] = self._capture(step, other)
        except Exception as error:  # memory is full, or an operation cannot be captured
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._usable, graph = False, None
            self.forget()
            message = f"no step graphs, steps are started one by one: {reason}"
            warnings.warn_explicit(message, UserWarning, __name__, 1)  # prints no line of code
        return graph


def capture_cuda_graph(step: Step, other: Any) -> torch.cuda.CUDAGraph:
    """Capture a step on the current GPU; its temporary memory is shared with another graph.

    `torch.cuda.graph` would also collect garbage and give all unused memory back, each time.
    """
    graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    stream = _capture_stream(current.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        # Threads that decode images may call CUDA meanwhile.
        graph.capture_begin(
            pool=None if other is None else other.pool(), capture_error_mode="thread_local"
        )
        try:
            step()
        except BaseException:
            with suppress(RuntimeError):  # the first error says more
                graph.capture_end()
            raise
        graph.capture_end()
    current.wait_stream(stream)
    return graph


@cache
def _capture_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of all captures: the library of matrix products keeps memory for each."""
    return torch.cuda.Stream(device)
