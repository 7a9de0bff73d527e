"""Several processes: the same records as one, whatever happens to them. Started by torchrun, as users do."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli.main import main

RUN = ["run", "--task", "all", "--limit", "12", "--batch-size", "5"]


@contextmanager
def started(processes, arguments, module="harness.cli.main", node=()):
    """The command in so many processes, as a process group of its own; killed if it is still there at the end.

    `node` is what torchrun has to know where this is one of several nodes.
    """
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        *node,
        "--nproc-per-node",
        str(processes),
        "-m",
        module,
    ]
    if processes == 1 and not node:
        launcher = [sys.executable, "-m", module]
    run = subprocess.Popen(
        [*launcher, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield run
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def finish(processes, arguments):
    """Run the command to its end and return what it printed."""
    with started(processes, arguments) as run:
        shown, _ = run.communicate(timeout=240)
    assert run.returncode == 0, shown
    return shown


def contents(out):
    """The bytes of everything that a run leaves, but for how long it took."""
    return {
        path.relative_to(out): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and "timings" not in path.name
    }


def wait_for(path, *, beyond, run, seconds=120):
    """Wait until a file has grown beyond so many bytes."""
    deadline = time.monotonic() + seconds
    while not path.exists() or path.stat().st_size <= beyond:
        assert run.poll() is None and time.monotonic() < deadline, (
            f"{path} did not grow beyond {beyond} bytes"
        )
        time.sleep(0.001)


def process_of(rank, run):
    """The process that torchrun started as this rank."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes().split(b"\0")
            if (
                int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == run.pid
                and f"RANK={rank}".encode() in words
            ):
                return int(folder.name)
        except (OSError, ValueError):
            continue
    raise AssertionError(f"no process has rank {rank}")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process makes of every task."""
    out = tmp_path_factory.mktemp("alone")
    assert main([*RUN, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_end_in_the_records_of_one_for_every_task(processes, alone, tmp_path):
    finish(processes, [*RUN, "--out", str(tmp_path)])
    assert contents(tmp_path) == contents(alone)
    assert len([path for path in contents(alone) if path.name.endswith(".limit-12.json")]) == 15


def test_two_nodes_end_in_the_records_of_one_process(alone, tmp_path):
    """As two machines: a launcher each, which find each other; here, both on this one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    node = f"--nnodes 2 --rdzv-id 7 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:{port} --local-addr 127.0.0.1".split()
    task = ["run", "--task", "refcoco+", *RUN[3:], "--out", str(tmp_path)]
    with started(1, task, node=node) as first, started(1, task, node=node) as second:
        shown = [run.communicate(timeout=240)[0] for run in (first, second)]
    assert first.returncode == second.returncode == 0, shown
    found, expected = contents(tmp_path), contents(alone)
    assert (
        found
        == {path: content for path, content in expected.items() if path.name.startswith("refcoco+")}
        and found
    )


def test_started_on_three_killed_and_gone_on_with_one_ends_in_the_same_records(alone, tmp_path):
    for name in ("coco-retrieval.test", "refcoco+.testB"):
        with started(3, [*RUN, "--out", str(tmp_path)]) as run:
            wait_for(
                tmp_path / "xvlm-shapes" / f"{name}.limit-12.predictions.jsonl.part-2",
                beyond=0,
                run=run,
            )
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate(timeout=60)
    finish(1, [*RUN, "--out", str(tmp_path)])
    assert contents(tmp_path) == contents(alone)


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds the processes of a run in /proc"
)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_run_with_a_clear_error_and_loses_nothing(rank, tmp_path):
    arguments = [
        "run",
        "--task",
        "refcoco+",
        "--split",
        "val",
        "--limit",
        "300",
        "--batch-size",
        "2",
        "--out",
    ]
    assert main([*arguments, str(tmp_path / "calm")]) == 0
    path = tmp_path / "struck" / "xvlm-shapes" / "refcoco+.val.limit-300.predictions.jsonl"
    part = path.with_name(f"{path.name}.part-1")
    with started(2, [*arguments, str(tmp_path / "struck")]) as run:
        wait_for(part, beyond=2000, run=run)
        os.kill(process_of(rank, run), signal.SIGKILL)
        shown, _ = run.communicate(timeout=120)
    assert run.returncode != 0
    assert (
        f"process {1 - rank} of 2" in shown
        and "what was predicted is kept, run the same command to go on" in shown
    )
    predicted = len((path.read_bytes() + part.read_bytes()).splitlines())
    assert predicted > 10
    assert "were predicted before" in finish(1, [*arguments, str(tmp_path / "struck")])
    assert contents(tmp_path / "struck") == contents(tmp_path / "calm")
