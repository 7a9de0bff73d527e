"""What a run needs from files is read in threads; its errors come in turn, and no thread stays."""

import gc
import threading
import time
from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from harness.callbacks import no_progress
from harness.data.resolve import resolve_data
from harness.errors import CheckpointError, DataError, UsageError
from harness.running import evaluate, launch, source, thread_decoder
from harness.running.ahead import NEXT_RUN
from harness.running.decoding import DECODING
from harness.running.distributed import SingleProcess
from harness.running.launch import agree_on_plan, run_all
from harness.running.planning import Request
from harness.running.run import Speed
from tests.support import refcoco_files
from tests.support.threads import in_threads

LONG = 60  # seconds that something is waited for which should come at once


@pytest.fixture
def data(tmp_path):
    return refcoco_files.write(tmp_path / "data")


def plan_of(data, out, group=None, **changes):
    request = dict(
        tasks=["refcoco+"], splits=["val"], checkpoint="xvlm-shapes",
        data=resolve_data(str(data) if data else None),
        out=out / "out", speed=Speed(batch_size=4), device="cpu", dtype="float32",
    )  # fmt: skip
    group = group or SingleProcess()
    return agree_on_plan(Request(**{**request, **changes}), group, progress=no_progress)


def outcomes_of(plan, group=None):
    group = group or SingleProcess()
    return list(run_all(plan, group, progress=no_progress, warn=pytest.fail))


def test_annotations_are_read_while_the_model_is_loaded(data, tmp_path, monkeypatch):
    begun, events = Event(), []
    load, load_samples = launch._load, source.load_samples

    def loading(run):
        assert begun.wait(LONG)
        events.append("model")
        return load(run)

    def reading(*arguments):
        begun.set()
        events.append(threading.current_thread() is threading.main_thread())
        return load_samples(*arguments)

    monkeypatch.setattr(launch, "_load", loading)
    monkeypatch.setattr(source, "load_samples", reading)
    (outcome,) = outcomes_of(plan_of(data, tmp_path))
    assert events == [False, "model"]  # in another thread, and once
    assert outcome.record.exists()


def test_the_garbage_collector_leaves_model_and_samples_alone_for_the_length_of_a_run(
    data, tmp_path, monkeypatch
):
    states, load, carry_out = [], launch._load, launch.evaluate

    def loading(run):
        states.append(("load", gc.isenabled()))
        return load(run)

    def evaluating(*arguments, **options):
        states.append(("run", gc.isenabled(), gc.get_freeze_count() > 0))
        return carry_out(*arguments, **options)

    monkeypatch.setattr(launch, "_load", loading)
    monkeypatch.setattr(launch, "evaluate", evaluating)
    outcomes_of(plan_of(data, tmp_path))
    assert states == [("load", False), ("run", True, True)]
    assert gc.isenabled() and not gc.get_freeze_count()
    (data / "refcoco+" / "instances.json").write_text("[]")
    with pytest.raises(DataError):
        outcomes_of(plan_of(data, tmp_path))
    assert gc.isenabled() and not gc.get_freeze_count()


def test_an_error_of_annotations_is_raised_once_the_model_is_loaded(data, tmp_path, monkeypatch):
    plan, loaded, load = plan_of(data, tmp_path), [], launch._load
    (data / "refcoco+" / "instances.json").write_text("[]")
    monkeypatch.setattr(launch, "_load", lambda run: loaded.append(load(run)) or loaded[0])
    before = threading.active_count()
    with pytest.raises(DataError, match=r"instances\.json"):
        outcomes_of(plan)
    assert len(loaded) == 1
    assert threading.active_count() == before


def test_an_error_of_the_model_comes_before_that_of_annotations(data, tmp_path, monkeypatch):
    def broken(run):
        raise CheckpointError("no weights")

    plan = plan_of(data, tmp_path)
    (data / "refcoco+" / "instances.json").write_text("[]")
    monkeypatch.setattr(launch, "_load", broken)
    before = threading.active_count()
    with pytest.raises(CheckpointError, match="no weights"):
        outcomes_of(plan)
    assert threading.active_count() == before


def test_every_process_raises_its_own_error_of_annotations(data, tmp_path):
    raised = []

    def work(group):
        plan = plan_of(data, tmp_path, group)
        if group.rank == 0:
            (data / "refcoco+" / "instances.json").write_text("[]")
        group.all_gather(None)
        with pytest.raises(DataError, match=r"instances\.json"):
            outcomes_of(plan, group)
        raised.append(group.rank)

    in_threads(2, work)
    assert sorted(raised) == [0, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (NEXT_RUN, f"{NEXT_RUN}=yes: expected 0 or 1"),
        (DECODING, f"{DECODING}=yes: expected threads"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_loaded(
    name, message, data, tmp_path, monkeypatch
):
    monkeypatch.setenv(name, "yes")
    monkeypatch.setattr(launch, "_load", lambda run: pytest.fail("loaded"))
    with pytest.raises(UsageError, match=message):
        outcomes_of(plan_of(data, tmp_path))


# With XVLM_EVAL_READ_AHEAD=1: the next run of the command


@pytest.fixture
def decoded(monkeypatch):
    """Collect the image files that are decoded: ahead, or when a run needs them."""
    events = {"ahead": [], "in turn": []}
    for kind, module in (("ahead", source), ("in turn", thread_decoder)):

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

    monkeypatch.setenv(NEXT_RUN, "1")
    held = waiting_to_finish(monkeypatch, "refcoco+ val", lambda: len(decoded["ahead"]) >= 1)
    actual = files_of(outcomes_of(plan_of(None, tmp_path / "b", **changes)))
    assert held == [True]
    assert actual == expected
    assert Counter(decoded["in turn"]) + Counter(decoded["ahead"]) == plain  # nothing twice


def test_threads_decode_nothing_ahead_for_processes(tmp_path, decoded, monkeypatch):
    monkeypatch.setenv(NEXT_RUN, "1")
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
    monkeypatch.setenv(NEXT_RUN, "1")
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
    monkeypatch.setenv(NEXT_RUN, "1")
    held = waiting_to_finish(monkeypatch, "refcoco+ val", lambda: len(hashed) == 2)
    changes = dict(tasks=["refcoco+", "vqav2"], limit=4)
    assert len(outcomes_of(plan_of(None, tmp_path, **changes))) == 2
    assert held == [True] and len(hashed) == 2
