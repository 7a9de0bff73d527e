"""What a CUDA GPU has to show before its faster paths become defaults, in one command.

    python -m tests.on_gpu OUT [--seconds 480] [--plan] [--dry]

The steps run in order of importance, each into `OUT/STEP.txt` and at most for its own limit; its
last lines are printed when it ends. A step that is stopped keeps what it has printed; when the time
is over, those after it are left out. `--plan` prints the commands. `--dry` tries all of it on a CPU
with a small model and few files, in less than two minutes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS = 480.0
FAST = {
    "XVLM_EVAL_DECODING": "processes",
    "XVLM_EVAL_RERANKED_IMAGES": "8",
    "XVLM_EVAL_FUSED": "auto",
    "XVLM_EVAL_PACKED_ATTENTION": "1",
}
KERNELS = (
    "tests/engine/test_packed_attention.py",
    "tests/engine/test_fused.py",
    "tests/engine/test_kernel_choice.py",
)
BEAMS = ("tests/models/test_static_decoder.py", "tests/parity/test_captioning.py")
SHOWN = 24  # last lines of a step that are printed


class Step(NamedTuple):
    """A command of Python, with additions to its environment, and its limit in seconds."""

    name: str
    environment: Mapping[str, str]
    arguments: Sequence[str]
    limit: float = SECONDS


def steps(photos: Path, *, dry: bool = False) -> Iterator[Step]:
    """Yield the steps; those that read image files find or make them in `photos`."""
    cuda = {} if dry else {"XVLM_EVAL_TEST_DEVICE": "cuda"}
    graphs = {**cuda, "XVLM_EVAL_FUSED": "1", "XVLM_EVAL_STEP_GRAPHS": "1"}
    device = ("cpu", "--size", "tiny") if dry else ("cuda",)
    pytest = ("-m", "pytest", "-q", "-n", "0" if dry else "8")
    bench = ("-m", "xvlm_eval", "bench", "--device", *device)
    files = (*bench, "--from-files", str(photos), "--files", "4" if dry else "1024")
    goldens = ("tests/parity", "tests/engine")

    quick = BEAMS[:1] if dry else (*KERNELS, *BEAMS)
    yield Step("kernels", graphs, (*pytest, *quick), 60)
    # The whole table from files, on the fastest paths.
    yield Step("files-tf32", FAST, (*files, "--dtype", "float32" if dry else "tf32"), 130)
    # Each path that is off beside the one in use: rates, memory, predictions.
    paths = ("-m", "tests.gpu_paths", str(photos), *(("--dry",) if dry else ()))
    yield Step("paths", {"XVLM_EVAL_DECODING": "processes"}, paths, 140)
    if not dry:
        yield Step("goldens", graphs, (*pytest, *goldens), 60)
        half = ("--task", "vqav2", "--task", "coco-retrieval", "--dtype", "float16")
        yield Step("files-float16", {**FAST, "XVLM_EVAL_FUSED": "1"}, (*files, *half), 60)
    turns = ("--device", device[0], "--turns", "1" if dry else "2")
    yield Step("read-ahead", {}, ("-m", "tests.read_ahead", *turns), 30)
    if not dry:  # with what time is left
        yield Step("goldens-plain", cuda, (*pytest, *goldens), 60)
        rates = (*bench, "--dtype", "tf32", "--repeat", "1")
        yield Step("rates-tf32", {"XVLM_EVAL_FUSED": "auto"}, rates)


def main() -> None:
    """Run the steps, or print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--plan", action="store_true", help="print the commands, run nothing")
    parser.add_argument("--dry", action="store_true", help="a small model and few files on a CPU")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as photos:
        if options.plan:
            for step in steps(Path(photos), dry=options.dry):
                words = [f"{name}={value}" for name, value in step.environment.items()]
                print(f"{step.name}: {' '.join([*words, 'python', *step.arguments])}")
            return
        options.out.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + options.seconds
        for step in steps(Path(photos), dry=options.dry):
            ended = run(step, options.out, end - time.monotonic())
            print(f"== {step.name}: {ended}", *last_lines(step, options.out), sep="\n", flush=True)


def run(step: Step, out: Path, seconds: float) -> str:
    """Run a step for at most some seconds, or its limit; return how it ended."""
    if seconds <= 0:
        return "left out, the time is over"
    begin, seconds = time.monotonic(), min(seconds, step.limit)
    with (out / f"{step.name}.txt").open("wb") as output:
        try:
            code = subprocess.run(
                [sys.executable, *step.arguments],
                env={**os.environ, **step.environment, "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"stopped after {seconds:.0f} s"
    return f"ended with code {code} after {time.monotonic() - begin:.0f} s"


def last_lines(step: Step, out: Path) -> list[str]:
    """Return the last lines that a step has printed."""
    path = out / f"{step.name}.txt"
    return path.read_text(errors="replace").splitlines()[-SHOWN:] if path.exists() else []


if __name__ == "__main__":
    main()
