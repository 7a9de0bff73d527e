"""Run the chosen stages one after another, and record the conditions of the measurement."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.bench.comparison import ComparisonResult, run_comparison
from harness.bench.fixtures import Fixtures
from harness.bench.from_files import MeasuredTime, measure_from_files
from harness.bench.models import SIZES
from harness.bench.projection import Projection, project
from harness.bench.stages import STAGES, Stage
from harness.engine.device import Device, choose_device
from harness.errors import UsageError, nearest
from harness.registry import ALL, find_task


@dataclass(frozen=True)
class Request:
    """The tasks and stages to measure, by name (empty: all), and the settings of the run."""

    tasks: Sequence[str]
    stages: Sequence[str]
    size: str
    repeat: int
    device: str
    dtype: str
    threads: int | None


@dataclass(frozen=True)
class FromFiles:
    """The times of the benchmarks from image files to predictions."""

    conditions: dict[str, Any]
    times: list[MeasuredTime]


@dataclass(frozen=True)
class Measurements:
    """The results by stage; on a GPU, also the projected time of the benchmarks."""

    conditions: dict[str, Any]
    results: dict[Stage, ComparisonResult]
    projection: Projection | None

    @property
    def agree(self) -> bool:
        """Whether engine and literal algorithm agree in every stage."""
        return all(result.agreement.agree for result in self.results.values())


def measure(request: Request, *, say: Callable[[str], None]) -> Measurements:
    """Run the stages of a request; `say` receives a line of progress before each.

    Raises UsageError for an unknown name and MissingError for a device that is not available.
    """
    stages, device = choose_stages(request), choose_device(request.device, request.dtype)
    with (
        _threads(request.threads),
        tempfile.TemporaryDirectory(prefix="xvlm-eval-bench-") as folder,
    ):
        fixtures = Fixtures(SIZES[request.size], device, Path(folder))
        results = {}
        for stage in stages:
            say(f"{stage.name}: {stage.title}")
            with device.computing():
                comparison = stage.prepare(fixtures)
            results[stage] = run_comparison(comparison, device, repeat=request.repeat)
        projection = None
        if device.torch.type == "cuda":
            say("projection: the engine alone, at real batch sizes")
            projection = project(fixtures)
        return Measurements(_conditions(request, device), results, projection)


def measure_files(
    request: Request, folder: Path, *, limit: int, workers: int | None, say: Callable[[str], None]
) -> FromFiles:
    """Time the tasks of a request from the JPEG files of a folder, at most `limit` for each.

    Raises UsageError for an unknown name and MissingError for a device that is not available.
    """
    device = choose_device(request.device, request.dtype)
    tasks = [find_task(name).name for name in request.tasks if name != ALL]
    with (
        _threads(request.threads),
        tempfile.TemporaryDirectory(prefix="xvlm-eval-bench-") as vocabulary,
    ):
        fixtures = Fixtures(SIZES[request.size], device, Path(vocabulary))
        times = measure_from_files(
            fixtures, folder, limit=limit, tasks=tasks, workers=workers, say=say
        )
        return FromFiles(_conditions(request, device), times)


def choose_stages(request: Request) -> list[Stage]:
    """Return the stages that a request names, in the order of STAGES."""
    known = [stage.name for stage in STAGES]
    for name in request.stages:
        if name not in known:
            raise UsageError(f"there is no stage {name!r}{nearest(name, known)}")
    needs = {need for name in request.tasks if name != ALL for need in find_task(name).needs}
    all_tasks = ALL in request.tasks or not request.tasks
    stages = [
        stage
        for stage in STAGES
        if (stage.name in request.stages or not request.stages)
        and (all_tasks or needs.intersection(stage.capabilities))
    ]
    if not stages:
        names, tasks = " ".join(request.stages), " ".join(request.tasks)
        if not request.stages:
            raise UsageError(f"--task {tasks}: no stage measures it; without --task, all are run")
        raise UsageError(f"--stage {names} is not a stage of --task {tasks}")
    return stages


def _conditions(request: Request, device: Device) -> dict[str, Any]:
    """Return the conditions that the times depend on."""
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
    """Set torch's number of threads, unless `count` is None, and restore it afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
