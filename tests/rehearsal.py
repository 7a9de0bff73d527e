"""Rehearse a real run: files of the real sizes, made here, through load, kill, resume and scoring.

    python -m tests.rehearsal FOLDER [--predictions 64] [--score-only]

It writes into FOLDER (5 GB, made once): X-VLM (base) for VQA with random weights, saved as the
authors' trainer saves it (`model`, `optimizer`, and the configuration as ruamel's CommentedMap);
VQA's 447,793 test and 214,354 validation questions, COCO's 25,010 captions, in the official
formats; and an image under each name that they need. Weights and words mean nothing; sizes do. It
prints seconds of wall clock and of processors, and the peak of the resident memory of each stage.
"""

import argparse
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.rehearsal_files import make, write_data, write_vocabulary, write_weights

POLL = 0.1  # seconds between two looks at a process


def main() -> None:
    """Make the files that are missing, and measure every stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--predictions", type=int, default=64, help="before the run is killed")
    parser.add_argument("--score-only", action="store_true", help="measure no run")
    options = parser.parse_args()
    folder = options.folder.resolve()
    make(folder / "weights.th", write_weights)
    make(folder / "vocab.txt", write_vocabulary)
    make(folder / "data", write_data)
    if not options.score_only:
        _measure("checkpoint", ["checkpoint", str(folder / "weights.th")])
        _interrupt(folder, options.predictions)
    data = ["--data", str(folder / "data"), "--predictions"]
    for task, split, name in (
        ("vqav2", "val", "answers.json"),
        ("coco-retrieval", "test", "matrices.npz"),
        ("coco-caption", "test", "captions.json"),
    ):
        command = ["score", "--task", task, "--split", split, *data, str(folder / "data" / name)]
        _measure(f"score {task} {split}", command)


def _interrupt(folder: Path, predictions: int) -> None:
    """Run VQA's test split, kill it, run it again, and compare what is on disk."""
    command = ["run", "--task", "vqav2", "--split", "test", "--checkpoint"]
    command += [str(folder / "weights.th"), "--data", str(folder / "data")]
    command += ["--out", str(folder / "runs")]
    file = folder / "runs" / "weights" / "vqav2.test.predictions.jsonl"
    file.unlink(missing_ok=True)
    _measure("run, to the first prediction", command, until=lambda: _lines(file) > 1)
    before = file.read_bytes()
    kept, expected = before[: before.rfind(b"\n") + 1], _lines(file)
    more = expected + predictions
    _measure("again, to the next prediction", command, until=lambda: _lines(file) > expected)
    assert file.read_bytes().startswith(kept), "a prediction was lost"
    _measure(
        f"again, to {predictions} predictions more", command, until=lambda: _lines(file) >= more
    )
    print(f"{_lines(file) - 1} predictions on disk, those before each kill unchanged")


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _measure(title: str, command: list[str], until: Callable[[], bool] | None = None) -> None:
    """Run a command to its end, or kill it when `until` holds; print its time and memory."""
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = [sys.executable, "-m", "harness.cli.main", *command]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        peak = 0.0
        while process.poll() is None and not (until and until()):
            peak = max(peak, _resident(process.pid))
            time.sleep(POLL)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        output = process.communicate()[0].decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.perf_counter() - begin
    processors = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{title:38} {seconds:7.1f} s {processors:7.1f} s CPU {peak:6.2f} GiB", flush=True)
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(output[-2000:])


def _resident(pid: int) -> float:
    """Return the peak of a process's resident memory so far, in GiB; Linux only."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(s.split()[1]) / 2**20 for s in status.splitlines() if "VmHWM" in s), 0.0)


if __name__ == "__main__":
    main()
