"""With XVLM_EVAL_READ_AHEAD=1, the next run of a command is read while this one predicts."""

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.callbacks import no_progress
from harness.errors import DataError
from harness.running import evaluate, launch, source
from harness.running.decoding import threads
from harness.running.decoding.choice import DECODING
from harness.running.launch import run_all
from harness.running.next_run import READ_AHEAD
from harness.running.processes.distributed import SingleProcess
from tests.support import refcoco_files
from tests.support.planned import outcomes_of, plan_of

LONG = 60  # seconds that something is waited for which should come at once


@pytest.fixture
def data(tmp_path):
    return refcoco_files.write(tmp_path / "data")


@pytest.fixture
def decoded(monkeypatch):
    """Collect the image files that are decoded: ahead, or when a run needs them."""
    events = {"ahead": [], "in turn": []}
    for kind, module in (("ahead", source), ("in turn", threads)):

        def read(views, prepare, *, needed_by, kind=kind, original=module.read_views):
            events[kind].append(Path(views[0]).name)
            return original(views, prepare, needed_by=needed_by)

        monkeypatch.setattr(module, "read_views", read)
    return events


def waiting_to_finish(monkeypatch, title, condition):
    """Let the run of a title wait for a condition before its record is written."""
    finish, held = evaluate.finish, []

    def finishing(run, *arguments, **options):
        if run.title.endswith(title):
            end = time.monotonic() + LONG
            while not condition() and time.monotonic() < end:
                time.sleep(0.01)
            held.append(condition())
        return finish(run, *arguments, **options)

    monkeypatch.setattr(evaluate, "finish", finishing)
    return held


def files_of(outcomes):
    folder = outcomes[0].record.parent
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if ".timings." not in path.name
    }


def test_the_next_split_is_decoded_before_the_record_of_this_one(tmp_path, decoded, monkeypatch):
    changes = dict(splits=["val", "testA"], limit=20)
    expected = files_of(outcomes_of(plan_of(None, tmp_path / "a", **changes)))
    plain = Counter(decoded["in turn"])
    assert not decoded["ahead"]
    decoded["in turn"].clear()

    monkeypatch.setenv(READ_AHEAD, "1")
    held = waiting_to_finish(monkeypatch, "refcoco+ val", lambda: len(decoded["ahead"]) >= 1)
    actual = files_of(outcomes_of(plan_of(None, tmp_path / "b", **changes)))
    assert held == [True]
    assert actual == expected
    assert Counter(decoded["in turn"]) + Counter(decoded["ahead"]) == plain  # nothing twice


def test_threads_decode_nothing_ahead_for_processes(tmp_path, decoded, monkeypatch):
    monkeypatch.setenv(READ_AHEAD, "1")
    monkeypatch.setenv(DECODING, "processes")
    assert len(outcomes_of(plan_of(None, tmp_path, splits=["val", "testA"], limit=20))) == 2
    assert decoded["ahead"] == []


def test_an_error_of_the_next_run_comes_after_the_record_of_this_one(data, tmp_path, monkeypatch):
    load_samples, calls = source.load_samples, []

    def reading(task, folder, split):
        calls.append(split)
        if split == "testA":
            raise DataError("no such question")
        return load_samples(task, folder, split)

    monkeypatch.setattr(source, "load_samples", reading)
    monkeypatch.setenv(READ_AHEAD, "1")
    held = waiting_to_finish(monkeypatch, "refcoco+ val", lambda: calls == ["val", "testA"])
    plan = plan_of(data, tmp_path, splits=["val", "testA"])
    outcomes = run_all(plan, SingleProcess(), progress=no_progress, warn=pytest.fail)
    before = threading.active_count()
    assert next(outcomes).record.exists() and held == [True]
    with pytest.raises(DataError, match="no such question"):
        next(outcomes)
    assert calls == ["val", "testA"]
    assert threading.active_count() <= before


def test_the_weights_of_the_next_task_are_hashed_while_this_one_predicts(tmp_path, monkeypatch):
    verified, hashed = launch.verified_sha256, []

    def hashing(weights):
        hashed.append(weights.path.name)
        return verified(weights)

    monkeypatch.setattr(launch, "verified_sha256", hashing)
    monkeypatch.setenv(READ_AHEAD, "1")
    held = waiting_to_finish(monkeypatch, "refcoco+ val", lambda: len(hashed) == 2)
    changes = dict(tasks=["refcoco+", "vqav2"], limit=4)
    assert len(outcomes_of(plan_of(None, tmp_path, **changes))) == 2
    assert held == [True] and len(hashed) == 2
