"""What a run needs from files is read in threads; its errors come in turn, and no thread stays."""

import gc
import threading
from threading import Event

import pytest

from harness.errors import CheckpointError, DataError, UsageError
from harness.running import launch, source
from harness.running.decoding.choice import DECODING
from harness.running.next_run import READ_AHEAD
from tests.support import refcoco_files
from tests.support.collection import keep_as_runs_do
from tests.support.planned import outcomes_of, plan_of
from tests.support.threads import in_threads

LONG = 60  # seconds that something is waited for which should come at once


@pytest.fixture
def data(tmp_path):
    return refcoco_files.write(tmp_path / "data")


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


@pytest.fixture
def nothing_frozen():
    """Undo for a test what conftest.py keeps from the garbage collector."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_the_garbage_collector_leaves_model_and_samples_alone_for_the_length_of_a_run(
    data, tmp_path, monkeypatch, nothing_frozen
):
    keep_as_runs_do(monkeypatch)
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


def test_what_a_caller_keeps_from_the_garbage_collector_is_kept_from_it_after_a_run(
    data, tmp_path, monkeypatch
):
    keep_as_runs_do(monkeypatch)
    gc.freeze()
    outcomes_of(plan_of(data, tmp_path))
    assert gc.get_freeze_count()


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
        (READ_AHEAD, f"{READ_AHEAD}=yes: expected 0 or 1"),
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
