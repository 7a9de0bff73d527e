"""Runs that are struck from outside: killed at random moments (more than fifty of them), out of disk, beside one another, by a wrong clock.

Started again, each ends in the bytes of a run that nobody disturbed.
"""

import multiprocessing
import os
import random
import sys
import time
from collections import Counter

import pytest

from harness.cli.main import main

KILLS = 9  # of each task (of captions, which take long to score, two); the last test adds them up
TASKS = {  # split, and samples: as many as take about a second
    "vqav2": ("val", 30),
    "nlvr2": ("dev", 30),
    "coco-caption": ("val", 4),
    "flickr30k-retrieval": ("val", 12),
    "coco-retrieval": ("val", 12),
    "refcoco+": ("testB", 60),
    "ovad": ("box", 30),
}
GROUND = [
    "run",
    "--task",
    "refcoco+",
    "--split",
    "testB",
    "--limit",
    "60",
    "--batch-size",
    "2",
    "--out",
]
# Every run is a process of its own, forked from one that has imported what takes long and computed nothing yet.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["harness.models.xvlm.load", "harness.cli.run", "tests.support.preloaded"]
)
killed: Counter[str] = Counter()


def run(arguments, trouble, log):
    import torch

    torch.set_num_threads(1)  # the cores are shared by many runs
    with open(log, "w") as said:  # noqa: PTH123
        sys.stdout = sys.stderr = said
        trouble()
        code = main(arguments)
        said.flush()
    os._exit(code)


def no_trouble():
    pass


def full_disk():
    """No file may grow beyond some bytes: as if the disk were full then."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


def clock_going_backwards():
    now = iter(range(2_000_000_000, 0, -1000))
    time.time = lambda: float(next(now))


def started(arguments, trouble=no_trouble, log=os.devnull):
    process = processes.Process(target=run, args=(arguments, trouble, log))
    process.start()
    return process


def finish(arguments, trouble=no_trouble, log=os.devnull):
    """Run to the end; returns the exit code, and the seconds it took."""
    began = time.monotonic()
    process = started(arguments, trouble, log)
    process.join(300)
    return process.exitcode, time.monotonic() - began


def contents(folder):
    """The bytes of everything that a run leaves, but for how long it took, and for what a kill left half made (hidden files)."""
    found = sorted((folder / "xvlm-shapes").iterdir())
    return {
        path.name: path.read_bytes()
        for path in found
        if "timings" not in path.name and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    out = tmp_path_factory.mktemp("calm")
    assert finish([*GROUND, str(out)])[0] == 0
    return contents(out)


@pytest.mark.parametrize("task", TASKS)
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(task, tmp_path):
    split, limit = TASKS[task]
    command = [
        "run",
        "--task",
        task,
        "--split",
        split,
        "--limit",
        str(limit),
        "--batch-size",
        "2",
        "--workers",
        "1",
        "--out",
    ]
    assert (
        finish([*command, str(tmp_path / "first")])[0] == 0
    )  # the first run of all waits for imports, and for the data to be drawn
    code, seconds = finish([*command, str(tmp_path / "calm")])
    assert code == 0
    expected = contents(tmp_path / "calm")
    assert contents(tmp_path / "first") == expected
    draws, attempt = random.Random(task), 0
    kills = 2 if task == "coco-caption" else KILLS
    while killed[task] < kills:
        out, attempt = tmp_path / f"killed-{attempt}", attempt + 1
        for _ in range(kills):
            process = started([*command, str(out)])
            process.join(draws.uniform(0.2, 0.9) * seconds)
            killed[task] += process.is_alive()
            process.kill()
            process.join()
        assert finish([*command, str(out)])[0] == 0
        assert contents(out) == expected
        assert attempt < 3 * kills, "the runs ended before they were killed"


def test_more_than_fifty_runs_were_killed():
    if len(killed) < len(TASKS):
        pytest.skip("only some of these tests were run")
    assert sum(killed.values()) > 50, killed


def test_a_full_disk_is_said_and_what_was_predicted_is_kept(calm, tmp_path):
    log = tmp_path / "log"
    assert finish([*GROUND, str(tmp_path)], full_disk, str(log))[0] == 4
    assert "what was predicted before is kept, run the same command to go on" in log.read_text()
    (path,) = (tmp_path / "xvlm-shapes").glob("*.jsonl")
    kept = path.read_text().count("\n")
    assert kept > 2
    assert finish([*GROUND, str(tmp_path)], log=str(log))[0] == 0
    assert "were predicted before" in log.read_text()
    assert contents(tmp_path) == calm


def test_of_two_runs_into_one_folder_one_goes_on_and_the_other_is_told(calm, tmp_path):
    logs = [tmp_path / "first", tmp_path / "second"]
    runs = [started([*GROUND, str(tmp_path / "out")], log=str(log)) for log in logs]
    for process in runs:
        process.join(120)
    assert 0 in [process.exitcode for process in runs]
    for process, log in zip(runs, logs, strict=True):
        if process.exitcode:
            assert (
                process.exitcode == 4 and "another process is writing this run" in log.read_text()
            )
    assert contents(tmp_path / "out") == calm


def test_a_clock_that_goes_backwards_changes_nothing(calm, tmp_path):
    assert finish([*GROUND, str(tmp_path)], clock_going_backwards)[0] == 0
    assert contents(tmp_path) == calm


def test_a_cache_that_cannot_be_written_says_where_to_put_another(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "file" / "cache"))
    assert main([*GROUND, str(tmp_path / "out")]) == 3
    assert "set XVLM_EVAL_CACHE to a folder that can" in capsys.readouterr().err
