"""The stages of a start: the processor's seconds of each, and the memory after it."""

import importlib
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Stages in the order of a run: title -> functions, `module:name` or `module:class.name`.
STAGES: dict[str, tuple[str, ...]] = {
    "plan: files found, scorers tried": ("harness.running.launch:make_plan",),
    "weights hashed": ("harness.running.pinned:verified_sha256",),
    "weights read": ("harness.models.weights:read_tensors",),
    "network built": ("harness.models.xvlm.networks:_filled",),
    "network filled": ("harness.models.filling:fill",),
    "vocabulary read": ("harness.models.fusion.tokenizer:Tokenizer.__init__",),
    "weights prepacked": ("harness.engine.matmul:prepack",),
    "model loaded, the rest": ("harness.running.launch:_load",),
    "annotations read": ("harness.files.kinds:read_bytes",),
    "annotations decoded": ("harness.files.parsing:decode_json_text",),
    "samples made": ("harness.task:load_samples",),
    "annotations hashed": ("harness.formats.folder:DataFolder.fingerprint",),
    "identity, the rest": ("harness.running.identity:identify",),
    "batch size chosen": ("harness.running.batch_size:fitting_batch_size",),
    "commit and packages": ("harness.records.provenance:software",),
    "first inputs fingerprinted": ("harness.running.inputs.fingerprint:fingerprint_inputs",),
    "predictions opened and parsed": ("harness.records.prediction_lines:parse_predictions",),
    "resumed: texts checked, files begun": ("harness.running.inputs.file_check:FileCheck.begin",),
    "batches planned": ("harness.running.loader:plan_batches",),
    "first batch decoded": ("harness.running.loader:_load",),
    "first batch predicted": (
        "harness.running.runners:predict_batches",
        "harness.running.runners:predict_gallery",
    ),
}


@dataclass
class Stage:
    """What a stage took: calls, processor's seconds of its own, and the peak when it ended."""

    calls: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    resident: float = 0.0


@dataclass
class Clock:
    """Collects the stages; a stage inside another one counts for itself only."""

    stages: dict[str, Stage] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Count what the block takes, in this thread."""
        inside: list[float] = self._local.__dict__.setdefault("inside", [])
        inside.append(0.0)
        begin = time.thread_time()
        try:
            yield
        finally:
            total = time.thread_time() - begin
            stage = self.stages.setdefault(title, Stage())
            stage.calls += 1
            stage.seconds += total - inside.pop()
            stage.peak = memory("VmHWM")
            stage.resident = memory("VmRSS")
            if inside:
                inside[-1] += total

    def watch(self, title: str, target: str) -> None:
        """Count the calls of a function, wherever a module of this project has it."""
        module, _, name = target.partition(":")
        owner: Any = importlib.import_module(module)
        *path, name = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        function: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            with self.stage(title):
                return function(*arguments, **options)

        setattr(owner, name, counted)
        for other in list(sys.modules.values()):
            if getattr(other, "__name__", "").startswith(("harness", "tasks")):
                for alias, value in list(vars(other).items()):
                    if value is function:
                        setattr(other, alias, counted)


def print_table(clock: Clock, modules: dict[str, int]) -> None:
    """Print what each stage took, and the process in all; `modules` are imported ones by stage."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = usage.ru_utime + usage.ru_stime
    print(f"{'stage':36} {'calls':>6} {'CPU s':>7} {'MiB':>6} {'peak':>6}")
    for title, stage in clock.stages.items():
        row = f"{stage.calls:6} {stage.seconds:7.2f} {stage.resident:6.0f} {stage.peak:6.0f}"
        print(f"{title:36} {row}")
    row = f"{'':6} {total:7.2f} {memory('VmRSS'):6.0f} {memory('VmHWM'):6.0f}"
    print(f"{'in all':36} {row}")
    print(f"{'child processes':36} {'':6} {children.ru_utime + children.ru_stime:7.2f}")
    print(f"read {bytes_read() / 1e9:.2f} GB; modules: {modules}, at the end {len(sys.modules)}")


def bytes_read() -> int:
    """Return the bytes that this process asked the system for (mapped files not included)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def memory(name: str, process: int | str = "self") -> float:
    """Return a number of a process's memory in MiB: VmRSS, or its peak VmHWM."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
