"""Processes that never come: named, after a time, with what to look at."""

import gc
import signal
import socket
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from harness.cli.main import main
from harness.errors import HarnessError, UsageError
from harness.running.processes import rendezvous
from harness.running.processes.rendezvous import meet
from harness.running.processes.torchrun import joined

WAIT = 60  # seconds: enough to connect on a slow machine; tests that wait in vain have a `clock`


@pytest.fixture
def rank(monkeypatch):
    """Set torchrun's variables for a process of several, which waits for `WAIT` seconds."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    variables = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "XVLM_EVAL_RENDEZVOUS_SECONDS": str(WAIT),
    }

    def use(rank, size, **others):
        for name, value in {**variables, "RANK": str(rank), "WORLD_SIZE": str(size)}.items():
            monkeypatch.setenv(name, others.get(name, value))

    use.store = store
    return use


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on where a process sleeps."""
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    monkeypatch.setattr(rendezvous, "time", clock)
    return clock


def test_processes_that_never_come_are_named(rank, clock, tmp_path, capsys):
    rank(1, 4)
    assert main(["run", "--task", "refcoco+", "--out", str(tmp_path)]) == 4
    shown = capsys.readouterr().err
    assert "process 1 of 4: waited 60 s for processes 0, 2, 3, in vain" in shown
    assert "XVLM_EVAL_RENDEZVOUS_SECONDS sets how long to wait" in shown
    assert WAIT < clock.now < WAIT + 0.2
    assert not list(tmp_path.iterdir())


def test_a_process_0_that_is_not_there_is_named_by_its_address(rank, tmp_path, capsys):
    rank(1, 2, MASTER_PORT="1", XVLM_EVAL_RENDEZVOUS_SECONDS="1")
    assert main(["run", "--task", "refcoco+", "--out", str(tmp_path)]) == 4
    assert "process 1 of 2: cannot meet the others at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASTER_ADDR", ""),
        ("MASTER_PORT", "x"),
        ("RANK", "first"),
        ("RANK", "1"),
        ("XVLM_EVAL_RENDEZVOUS_SECONDS", "0.5"),
    ],
)
def test_a_wrong_variable_is_named(rank, name, value):
    rank(0, 1)
    rank(0, 1, **{name: value})
    with pytest.raises(UsageError, match=name):
        meet()


def test_process_0_opens_the_store_where_no_launcher_has_one(rank, clock):
    rank(0, 2, TORCHELASTIC_USE_AGENT_STORE="", MASTER_PORT="0")
    with pytest.raises(HarnessError, match="waited 60 s for process 1, in vain"):
        meet()


def test_a_store_that_ends_while_others_wait_is_named(rank, tmp_path, capsys, monkeypatch):
    def end_the_store(_):
        rank.store = None

    rank(0, 4)
    monkeypatch.setattr(rendezvous.time, "sleep", end_the_store)
    assert main(["run", "--task", "refcoco+", "--out", str(tmp_path)]) == 4
    shown = capsys.readouterr().err
    assert "process 0 of 4: process 0, or the torchrun that started it, has ended" in shown
    assert "while this one waited for process 1" in shown


def test_a_store_that_ends_after_the_connection_is_named(rank, monkeypatch):
    connect = dist.TCPStore

    def connect_and_end(*arguments, **options):
        store = connect(*arguments, **options)
        rank.store = None
        return store

    monkeypatch.setattr(dist, "TCPStore", connect_and_end)
    rank(1, 2)
    with pytest.raises(HarnessError, match="has ended or cannot be reached any more"):
        meet()


def test_the_time_to_connect_counts_as_waiting(rank, clock, monkeypatch):
    reach = rendezvous._reach

    def reach_late(*arguments):
        clock.now += WAIT - 0.1
        return reach(*arguments)

    monkeypatch.setattr(rendezvous, "_reach", reach_late)
    rank(1, 2)
    with pytest.raises(HarnessError, match="waited 60 s for process 0"):
        meet()
    assert clock.now < WAIT + 0.2


def test_a_second_command_without_a_launcher_meets_in_the_store_of_the_first(rank):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for command in (1, 2):
        rank(0, 1, TORCHELASTIC_USE_AGENT_STORE="", MASTER_PORT=str(port))
        meet()
        gc.collect()
        store = dist.TCPStore(
            "127.0.0.1",
            port,
            is_master=False,
            timeout=timedelta(seconds=WAIT),
            wait_for_workers=False,
        )
        assert store.add("xvlm-eval/0/commands of process 0", 0) == command


def test_a_run_leaves_the_handlers_of_signals_as_they_were(rank):
    def own(*_):
        pass

    former = signal.signal(signal.SIGTERM, own)
    try:
        for _ in range(2):  # the second command finds nothing of the first in the store
            rank(0, 1)
            with joined() as group:
                assert signal.getsignal(signal.SIGTERM) is not own
                assert group.all_gather("all") == ["all"]
                assert group.count("claims", 1) == 1
            assert signal.getsignal(signal.SIGTERM) is own
        rank(0, 1)
        with pytest.raises(KeyError), joined():
            raise KeyError
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, former)


def test_what_is_exchanged_later_may_take_as_long_as_a_run(rank):
    rank(0, 1)
    with joined() as group:
        options = group._group._get_backend(torch.device("cpu")).options
        assert options._timeout == timedelta(days=2)


def test_a_run_in_a_thread_sets_no_handler(rank):
    gathered = []

    def run():
        with joined() as group:
            gathered.append(group.all_gather(1))

    rank(0, 1)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert gathered == [[1]]
