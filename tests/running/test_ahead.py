"""What a run needs from files is read in threads; its errors come in turn, and no thread stays."""

import threading
from threading import Event

import pytest

from harness.callbacks import no_progress
from harness.data.resolve import resolve_data
from harness.errors import CheckpointError, DataError
from harness.running import ahead, launch
from harness.running.distributed import SingleProcess
from harness.running.launch import Request, agree_on_plan, run_all
from harness.running.run import Speed
from tests.support import refcoco_files
from tests.support.threads import in_threads

LONG = 60  # seconds that something is waited for which should come at once


@pytest.fixture
def data(tmp_path):
    return refcoco_files.write(tmp_path / "data")


def plan_of(data, out, group=None, **changes):
    request = dict(
        tasks=["refcoco+"], splits=["val"], checkpoint="xvlm-shapes", data=resolve_data(str(data)),
        out=out / "out", speed=Speed(batch_size=4), device="cpu", dtype="float32",
    )  # fmt: skip
    group = group or SingleProcess()
    return agree_on_plan(Request(**{**request, **changes}), group, progress=no_progress)


def outcomes_of(plan, group=None):
    group = group or SingleProcess()
    return list(run_all(plan, group, progress=no_progress, warn=pytest.fail))


def test_annotations_are_read_while_the_model_is_loaded(data, tmp_path, monkeypatch):
    begun, events = Event(), []
    load, load_samples = launch._load, ahead.load_samples

    def loading(run):
        assert begun.wait(LONG)
        events.append("model")
        return load(run)

    def reading(*arguments):
        begun.set()
        events.append(threading.current_thread() is threading.main_thread())
        return load_samples(*arguments)

    monkeypatch.setattr(launch, "_load", loading)
    monkeypatch.setattr(ahead, "load_samples", reading)
    (outcome,) = outcomes_of(plan_of(data, tmp_path))
    assert events == [False, "model"]  # in another thread, and once
    assert outcome.record.exists()


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
