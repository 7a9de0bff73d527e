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
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.start_stages import STAGES, Clock, memory, print_table

POLL = 0.01  # seconds between two looks at a file


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
    elif not out.exists():
        raise SystemExit(f"{out}: is missing; measure a fresh start first")
    else:
        # Imported here: a measured process imports what the command imports.
        from tests.start_resumed import predict_share

        predict_share(
            out,
            folder / "data",
            task_name=options.task,
            split=options.split,
            share=options.predicted,
            side=options.side,
        )
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
    print_table(clock, modules)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
