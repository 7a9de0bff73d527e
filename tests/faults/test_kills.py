"""Runs killed at any byte or file operation, out of disk, run concurrently, with a wrong clock.

Started again, each ends in the bytes of a run that nothing disturbed. `XVLM_EVAL_KILLS=N` (nightly)
kills runs of every task 2 N times, at other moments each time.
"""

import os
import random
import signal
import time
from functools import partial

import pytest

from harness.cli.main import main
from harness.shapes.benchmark import embedded_data
from tests.faults.subsets import SPLITS
from tests.support import struck
from tests.support.altered import copied
from tests.support.forked import Running, no_trouble
from tests.support.results import LIMITED, contents

NIGHTLY = "XVLM_EVAL_KILLS" in os.environ
KILLS = int(os.environ.get("XVLM_EVAL_KILLS", "3"))  # of each kind
LIMITS = {"refcoco+": 24, "coco-caption": 4}  # samples; 12 of every other task
# A task that is predicted batch by batch, and one that compares its samples with one another.
KILLED = tuple(SPLITS) if NIGHTLY else ("refcoco+", "coco-retrieval")


def command(task, out):
    arguments = ["run", "--task", task, "--split", SPLITS[task], "--batch-size", "2"]
    return [*arguments, "--limit", str(LIMITS.get(task, 12)), "--workers", "1", "--out", str(out)]


def predictions(task, out):
    name = f"{task}.{SPLITS[task]}.limit-{LIMITS.get(task, 12)}.predictions.jsonl"
    return out / "xvlm-shapes" / name


def counted(path, *below):
    """Write down how many file operations a run did."""
    done = struck.operations(*below)
    return lambda: path.write_text(str(done()))


def clock_going_backwards():
    now = iter(range(2_000_000_000, 0, -1000))
    time.time = lambda: float(next(now))


def finish(arguments, trouble=no_trouble):
    """Run to the end and return the exit code, negative for a run that was killed."""
    return Running(arguments, trouble).finish()[0]


def draws(task):
    """Random numbers: the same every time, or at night, others every time."""
    seed = random.randrange(2**32) if NIGHTLY else task
    print("seed", seed)  # shown where a test fails
    return random.Random(seed)


@pytest.fixture(scope="module", autouse=True)
def data():
    """The embedded benchmark, written before a run counts its file operations."""
    return embedded_data()


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """What a run of RefCOCO+ leaves that nothing disturbs."""
    out = tmp_path_factory.mktemp("calm")
    assert finish(command("refcoco+", out)) == 0
    return contents(out)


@pytest.mark.parametrize("task", KILLED)
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(task, tmp_path):
    """Killed before it opens, renames or removes a file, then in the midst of writing one."""
    rng, count, out = draws(task), tmp_path / "count", tmp_path / "killed"
    # The operations of a run: on the annotations, on each image, on each file of its results.
    below = ("/cache/shapes/", str(tmp_path))
    calm = tmp_path / "calm"
    assert finish(command(task, calm), partial(counted, count, *below)) == 0
    expected, operations = contents(calm), int(count.read_text())
    for _ in range(KILLS):
        number = rng.randint(1, operations // KILLS)  # all together, not enough to end the run
        trouble = partial(struck.at_operation, number, struck.kill, *below)
        assert finish(command(task, out), trouble) == -signal.SIGKILL
    path = predictions(task, out)
    written = path.stat().st_size if path.exists() else 0
    final = len(expected[path.relative_to(out).as_posix()])
    for size in sorted(rng.sample(range(written + 1, final), KILLS)):
        assert finish(command(task, out), partial(struck.at_byte, size)) == -signal.SIGXFSZ
        assert path.stat().st_size == size
    assert finish(command(task, out)) == 0
    assert contents(out) == expected


def test_a_run_killed_at_any_step_of_its_end_ends_in_the_same_bytes(calm, tmp_path):
    """All predictions exist; they are sorted, then scores and record are written."""
    path = predictions("refcoco+", tmp_path)
    for name, content in calm.items():
        if name.endswith(".predictions.jsonl"):
            head, *lines = content.splitlines(keepends=True)
            path.parent.mkdir()
            path.write_bytes(head + b"".join(reversed(lines)))
    size = random.Random(1).randrange(1, path.stat().st_size)
    arguments = command("refcoco+", tmp_path)
    assert finish(arguments, partial(struck.at_byte, size)) == -signal.SIGXFSZ
    ends = []
    while 0 not in ends:
        at = partial(struck.at_operation, len(ends) + 1, struck.kill, str(path.parent))
        ends.append(finish(arguments, at))
    # Lock, read, sort, write scores, write record, unlock: killed before and after each.
    assert ends[:-1] == [-signal.SIGKILL] * len(ends[:-1]) and len(ends) > 8
    assert contents(tmp_path) == calm


@pytest.mark.parametrize("task", [task for task in SPLITS if task != "coco-caption" or NIGHTLY])
def test_predictions_torn_at_any_byte_are_completed_to_the_same_bytes(task, limited, tmp_path):
    """What a power failure leaves: a file that ends within a batch, a line or a letter.

    Of captions, which Java scores for seconds, only at night; test_threads.py tears theirs, too.
    """
    stem = f"{task}.{SPLITS[task]}.limit-12"
    copied(limited, tmp_path, stem)
    expected = contents(tmp_path)
    (path,) = tmp_path.rglob("*.predictions.jsonl")
    whole, rng = path.read_bytes(), draws(task)
    arguments = ["run", "--task", task, "--split", SPLITS[task], *LIMITED, "--out", str(tmp_path)]
    head = whole.index(b"\n")
    for cut in [rng.randrange(head), *rng.sample(range(head, len(whole)), KILLS - 1)]:
        path.write_bytes(whole[:cut])
        assert main(arguments) == 0
        assert contents(tmp_path) == expected, cut


def test_a_full_disk_is_told_and_what_was_predicted_is_kept(calm, tmp_path):
    code, shown = Running(command("refcoco+", tmp_path), partial(struck.full_disk, 2000)).finish()
    assert code == 4
    assert "earlier predictions are kept, run the same command to go on" in shown
    assert predictions("refcoco+", tmp_path).read_text().count("\n") > 2
    code, shown = Running(command("refcoco+", tmp_path)).finish()
    assert code == 0 and "were predicted before" in shown
    assert contents(tmp_path) == calm


def test_of_two_runs_into_one_folder_one_goes_on_and_the_other_is_refused(calm, tmp_path, capsys):
    reached, until, out = tmp_path / "reached", tmp_path / "until", tmp_path / "out"
    # The first one stops at an image, in the midst of its predictions.
    stop = partial(struck.wait, reached, until)
    stopped = partial(struck.at_operation, 12, stop, struck.IMAGES)
    first = Running(command("refcoco+", out), stopped)
    while first.process.is_alive() and not reached.exists():
        time.sleep(0.01)
    assert main(command("refcoco+", out)) == 4
    assert "another process is writing this run" in capsys.readouterr().err
    until.touch()
    assert first.finish()[0] == 0
    assert contents(out) == calm


def test_a_clock_that_goes_backwards_changes_nothing(calm, tmp_path):
    assert finish(command("refcoco+", tmp_path), clock_going_backwards) == 0
    assert contents(tmp_path) == calm


def test_a_cache_that_cannot_be_written_says_where_to_put_another(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "file" / "cache"))
    assert main(command("refcoco+", tmp_path / "out")) == 3
    assert "set XVLM_EVAL_CACHE to a folder that can" in capsys.readouterr().err
