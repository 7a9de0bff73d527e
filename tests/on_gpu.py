"""What a CUDA GPU has to show before its faster paths become defaults, in one command.

    python -m tests.on_gpu OUT [--seconds 480] [--plan]

The steps run in order of importance, each into `OUT/STEP.txt`. A step is stopped when the time is
over, and keeps what it has printed; those after it are left out. `--plan` prints the commands.
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

FAST = {"XVLM_EVAL_DECODING": "processes", "XVLM_EVAL_RERANKED_IMAGES": "8"}
GOLDENS = ("-m", "pytest", "-q", "-n", "8", "tests/parity", "tests/engine")


class Step(NamedTuple):
    """A command of Python, with additions to its environment."""

    name: str
    environment: Mapping[str, str]
    arguments: Sequence[str]


def steps(photos: Path) -> Iterator[Step]:
    """Yield the steps; those that read image files find or make them in `photos`."""
    for fused in ("0", "1"):
        environment = {"XVLM_EVAL_TEST_DEVICE": "cuda", "XVLM_EVAL_FUSED": fused}
        yield Step(f"goldens-fused-{fused}", environment, GOLDENS)
    files = ("-m", "xvlm_eval", "bench", "--device", "cuda", "--from-files", str(photos))
    retrieval = ("--task", "flickr30k-retrieval", "--files", "1000")
    tf32 = {**FAST, "XVLM_EVAL_FUSED": "auto"}
    yield Step("files-tf32", tf32, (*files, "--dtype", "tf32"))
    one_by_one = {**tf32, "XVLM_EVAL_RERANKED_IMAGES": "1"}
    yield Step("files-tf32-reranked-1", one_by_one, (*files, "--dtype", "tf32", *retrieval))
    float16 = {**FAST, "XVLM_EVAL_FUSED": "1"}
    yield Step("files-float16", float16, (*files, "--dtype", "float16"))
    rates = ("-m", "xvlm_eval", "bench", "--device", "cuda", "--dtype", "tf32", "--repeat", "1")
    yield Step("rates-tf32", {"XVLM_EVAL_FUSED": "auto"}, rates)


def main() -> None:
    """Run the steps, or print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=480.0)
    parser.add_argument("--plan", action="store_true", help="print the commands, run nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as photos:
        if options.plan:
            for step in steps(Path(photos)):
                words = [f"{name}={value}" for name, value in step.environment.items()]
                print(f"{step.name}: {' '.join([*words, 'python', *step.arguments])}")
            return
        options.out.mkdir(parents=True, exist_ok=True)
        end = time.monotonic() + options.seconds
        for step in steps(Path(photos)):
            print(f"{step.name}: {run(step, options.out, end - time.monotonic())}", flush=True)


def run(step: Step, out: Path, seconds: float) -> str:
    """Run a step for at most some seconds; return how it ended."""
    if seconds <= 0:
        return "left out, the time is over"
    begin = time.monotonic()
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


if __name__ == "__main__":
    main()
