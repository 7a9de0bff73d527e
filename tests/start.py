"""Measure the start of a run, stage by stage: from the command to its first prediction.

    python -m tests.start FOLDER [--task vqav2] [--split test] [--predicted 0.9] [--clock]

FOLDER is that of `tests.rehearsal`: data and weights of the real sizes. The run of one command is
ended as soon as its first predictions are stored. With `--clock`, the command runs as it is, and
its time by the clock is printed, its processor's seconds and its peak. Otherwise, for every stage,
the table shows the seconds of the processor that its own thread spent in it, without those of the
stages inside it, and the peak of the process's resident memory when it ended. `--predicted` resumes
a run of which that share of the samples has a prediction already.
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
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
    "identity, the rest": ("harness.running.scoring:identify",),
    "batch size chosen": ("harness.running.batch_size:fitting_batch_size",),
    "commit and packages": ("harness.records.provenance:software",),
    "first inputs fingerprinted": ("harness.running.fingerprint:fingerprint_inputs",),
    "predictions opened and parsed": ("harness.records.prediction_lines:parse_predictions",),
    "resumed: texts checked, files begun": ("harness.running.file_check:FileCheck.begin",),
    "batches planned": ("harness.running.loader:plan_batches",),
    "first batch decoded": ("harness.running.loader:_load",),
    "first batch predicted": (
        "harness.running.runners:predict_batches",
        "harness.running.runners:predict_gallery",
    ),
}

POLL = 0.01  # seconds between two looks at a file


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


def main() -> None:
    """Measure one start in a process of its own, or print the table of one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--task", default="vqav2")
    parser.add_argument("--split", default="test")
    parser.add_argument("--weights", help="the weight file; default: FOLDER/weights.th")
    parser.add_argument("--predicted", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument(
        "--side", type=int, default=480, help="pixels of the model's images, for --predicted"
    )
    parser.add_argument(
        "--until",
        choices=("prediction", "batch"),
        default="prediction",
        help="end when the first predictions are stored, or when the first batch is decoded",
    )
    parser.add_argument("--clock", action="store_true", help="measure the command from outside")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    weights = Path(options.weights or folder / "weights.th")
    out = folder / "starts" / weights.stem / f"{options.task}.{options.split}.predictions.jsonl"
    if options.inside:
        _measure(options, folder, weights)
    if not options.predicted:
        out.unlink(missing_ok=True)
    elif options.predicted and not out.exists():
        raise SystemExit(f"{out}: is missing; measure a fresh start first")
    else:
        _predict(folder, options, out)
    if options.clock:
        _clock(_arguments(options, folder, weights), out)
    else:
        subprocess.run([sys.executable, "-m", "tests.start", "--inside", *sys.argv[1:]], check=True)


def _arguments(options: argparse.Namespace, folder: Path, weights: Path) -> list[str]:
    """Return the arguments of the command that is measured."""
    arguments = ["run", "--task", options.task, "--split", options.split]
    arguments += ["--checkpoint", str(weights), "--data", str(folder / "data")]
    return [*arguments, "--out", str(folder / "starts"), "--batch-size", options.batch_size]


def _clock(arguments: list[str], out: Path) -> None:
    """Run the command until it has stored a prediction; print its seconds and its peak."""
    before = out.stat().st_size if out.exists() else 0

    def has_predicted() -> bool:
        if not out.exists() or out.stat().st_size <= before:
            return False
        return bool(before) or out.read_bytes().count(b"\n") > 1  # the first line is the run's

    begin = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "harness.cli.main", *arguments]) as process:
        while not has_predicted():
            if process.poll() is not None:
                raise SystemExit(f"the command ended, code {process.returncode}")
            time.sleep(POLL)
        seconds, peak = time.perf_counter() - begin, memory("VmHWM", process.pid)
        process.kill()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = usage.ru_utime + usage.ru_stime
    print(f"clock {seconds:.1f} s, processor {processor:.1f} s, peak {peak:.0f} MiB")


def _measure(options: argparse.Namespace, folder: Path, weights: Path) -> None:
    """Run the command until its first prediction is stored, and print the table."""
    clock = Clock()
    with clock.stage("Python and the command imported"):
        for name in ("harness.cli.main", "harness.running.launch"):
            importlib.import_module(name)
    modules = {"the command": len(sys.modules)}
    with clock.stage("torch imported"):
        importlib.import_module("torch")
    modules["torch"] = len(sys.modules)
    with clock.stage("model families and tasks imported"):
        importlib.import_module("harness.models.xvlm.load")
        importlib.import_module("harness.registry").find_tasks([options.task])
        importlib.import_module("harness.running.predict")
    modules["all"] = len(sys.modules)
    for title, targets in STAGES.items():
        for target in targets:
            clock.watch(title, target)
    if options.until == "prediction":
        _stop_at_first_prediction(clock, modules)
    else:
        _stop_at_first_batch(clock, modules)
    from harness.cli.main import main as command

    raise SystemExit(command(_arguments(options, folder, weights)))


def _stop_at_first_batch(clock: Clock, modules: dict[str, int]) -> None:
    """End the process when a batch was decoded, after that of the first inputs' fingerprint."""
    loader = importlib.import_module("harness.running.loader")
    load = loader._load

    def last(*arguments: Any, **options: Any) -> Any:
        loaded = load(*arguments, **options)
        if clock.stages["first batch decoded"].calls > 1:
            _end(clock, modules)
        return loaded

    loader._load = last  # type: ignore[attr-defined]


def _stop_at_first_prediction(clock: Clock, modules: dict[str, int]) -> None:
    """End the process when predictions were stored; the stages around that have not ended."""
    from harness.records.predictions import PredictionFile

    append = PredictionFile.append

    def last(self: PredictionFile, *arguments: Any) -> None:
        append(self, *arguments)
        if not arguments[0]:
            return
        _end(clock, modules)

    PredictionFile.append = last  # type: ignore[method-assign]


def _end(clock: Clock, modules: dict[str, int]) -> None:
    _report(clock, modules)
    sys.stdout.flush()
    os._exit(0)


def _report(clock: Clock, modules: dict[str, int]) -> None:
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


def _predict(folder: Path, options: argparse.Namespace, path: Path) -> None:
    """Let the file of a fresh start hold predictions of the first share of the samples.

    Each is the file's first one, with the fingerprints of its own inputs.
    """
    # Imported here: a measured process imports what the command imports.
    from PIL import Image

    from harness.formats.folder import open_folder
    from harness.images import image_file
    from harness.models.fusion.resizing import resize
    from harness.records.fingerprints import Fingerprint, checksum
    from harness.records.prediction_lines import sample_line
    from harness.registry import find_task
    from harness.running import sample_inputs
    from harness.running.prepared import contents_of
    from harness.task import load_samples

    task = find_task(options.task)
    samples = load_samples(task, open_folder(folder / "data"), options.split)
    samples = samples[: int(options.predicted * len(samples))]
    head, first = path.read_text(encoding="utf-8").splitlines()[:2]
    prediction = json.loads(first)["prediction"]
    files: dict[Path, int] = {}
    pixels: dict[Path, bytes] = {}
    by_inode: dict[int, tuple[int, bytes]] = {}  # checksums of the file and of its pixels
    for sample in samples:
        for file in map(image_file, sample.images):
            if file not in files:
                inode = file.stat().st_ino
                if inode not in by_inode:
                    with Image.open(file) as image:
                        prepared = contents_of(resize(image, options.side))
                    by_inode[inode] = (
                        checksum([file.read_bytes()]),
                        checksum(prepared).to_bytes(4, "big"),
                    )
                files[file], pixels[file] = by_inode[inode]
    with path.open("w", encoding="utf-8") as output:
        output.write(f"{head}\n")
        for sample in samples:
            of_files = sample_inputs.checksum_of_files(sample.images, files)
            of_texts = sample_inputs.checksum_of_texts(task, sample)
            of_pixels = checksum([pixels[image_file(view)] for view in sample.images])
            inputs = Fingerprint(of_files, of_pixels, of_texts).to_text()
            output.write(sample_line(path, sample.id, prediction, inputs))
    print(f"{len(samples)} predictions written", flush=True)


if __name__ == "__main__":
    main()
