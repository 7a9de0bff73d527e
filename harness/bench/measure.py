"""Hold the contests that were asked for, one after another, and say under which conditions."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.bench.contest import Result, hold
from harness.bench.lab import Lab
from harness.bench.models import SIZES
from harness.bench.projection import Projection, project
from harness.bench.stages import STAGES, Stage
from harness.engine.device import Device, choose_device
from harness.errors import UsageError, nearest
from harness.registry import find_task

ALL = "all"


@dataclass(frozen=True)
class Request:
    """What to measure, where, and how: `tasks` and `stages` are names, none of them means all."""

    tasks: Sequence[str]
    stages: Sequence[str]
    size: str
    repeat: int
    device: str
    dtype: str
    threads: int | None


@dataclass(frozen=True)
class Findings:
    """What came out, by stage; on a GPU also what it means for the benchmarks at their real sizes."""

    conditions: dict[str, Any]
    results: dict[Stage, Result]
    projection: Projection | None

    @property
    def agree(self) -> bool:
        """Whether engine and literal algorithm agree in every stage."""
        return all(result.agreement.holds for result in self.results.values())


def measure(request: Request, *, say: Callable[[str], None]) -> Findings:
    """Hold the contests. Raises UsageError for what does not exist, MissingError for a device that is not there."""
    stages, device = chosen_stages(request), choose_device(request.device, request.dtype)
    with (
        _threads(request.threads),
        tempfile.TemporaryDirectory(prefix="xvlm-eval-bench-") as folder,
    ):
        lab = Lab(SIZES[request.size], device, Path(folder))
        results = {}
        for stage in stages:
            say(f"{stage.name}: {stage.contest.__doc__}")
            with device.computing():
                contest = stage.contest(lab)
            results[stage] = hold(contest, device, repeat=request.repeat)
        projection = None
        if device.torch.type == "cuda":
            say("projection: the engine alone, at real batch sizes")
            projection = project(lab)
        return Findings(_conditions(request, device), results, projection)


def chosen_stages(request: Request) -> list[Stage]:
    """Return the stages of the tasks and names asked for, in the order in which they are held."""
    known = [stage.name for stage in STAGES]
    for name in request.stages:
        if name not in known:
            raise UsageError(f"there is no stage {name!r}{nearest(name, known)}")
    needed = {need for name in request.tasks if name != ALL for need in find_task(name).needs}
    anything = ALL in request.tasks or not request.tasks
    found = [
        stage
        for stage in STAGES
        if (stage.name in request.stages or not request.stages)
        and (anything or needed.intersection(stage.capabilities))
    ]
    if not found:
        raise UsageError(
            f"--stage {' '.join(request.stages)}: is no part of --task {' '.join(request.tasks)}"
        )
    return found


def _conditions(request: Request, device: Device) -> dict[str, Any]:
    """Return what the times depend on."""
    return {
        "size": request.size,
        "device": device.name,
        "dtype": request.dtype,
        "threads": torch.get_num_threads(),
        "repeat": request.repeat,
        "torch": torch.__version__,
    }


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
