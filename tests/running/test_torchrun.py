"""Several processes, started as by torchrun: the records of one process.

Two tests start torchrun itself, one of them with new processes, which import torch for seconds;
the others, a launcher that does what it does. `test_threads.py` shows the same for every task and
split, with threads for processes.
"""

import signal
from functools import partial

import pytest
import torch.distributed as dist

from harness.cli.main import main
from tests.support import struck
from tests.support.forked import RunningRanks, RunningTorchrun
from tests.support.held import run_held
from tests.support.results import LIMITED, contents

# One task that is predicted batch by batch, and one that compares its samples with one another.
PART = "coco-retrieval.test.limit-12.predictions.jsonl.part-2"
RUN = ["run", "--task", "refcoco+,coco-retrieval", *LIMITED]
SPLITS = [
    *("refcoco+ val", "refcoco+ testA", "refcoco+ testB"),
    *("coco-retrieval val", "coco-retrieval test"),
]


@pytest.fixture(scope="module")
def expected(limited):
    """What one process leaves."""
    return contents(limited, "refcoco+.") | contents(limited, "coco-retrieval.")


def test_two_nodes_of_which_one_is_held_back_end_in_the_records_of_one_process(
    expected, tmp_path, monkeypatch
):
    """As two machines: a launcher each, which find each other; here, both on this one."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    node = ["--nnodes=2", "--rdzv-id=7", "--rdzv-backend=c10d", "--rdzv-conf=is_host=0"]
    node += [
        "--nproc-per-node=1",
        f"--rdzv-endpoint=127.0.0.1:{store.port}",
        "--local-addr=127.0.0.1",
    ]
    command, counts = ["-m", "harness.cli.main", *RUN], tmp_path / "counts"
    counts.mkdir()
    monkeypatch.setenv("COUNTS", str(counts))
    arguments = [*node, *command, "--out", str(tmp_path / "runs")]
    nodes = [RunningTorchrun(arguments, run_held) for _ in range(2)]
    ends = [running.finish() for running in nodes]
    assert [code for code, _ in ends] == [0, 0], ends
    assert contents(tmp_path / "runs") == expected and len(expected) == 15
    # Of batches of 5, 5 and 2 samples, process 0 owns the last as well: process 1 computed it.
    assert {path.name: path.read_text() for path in counts.iterdir()} == {
        f"{split} {rank}": samples for split in SPLITS for rank, samples in enumerate("57")
    }


def test_begun_by_three_killed_and_ended_by_two_processes_ends_in_the_same_records(
    expected, tmp_path
):
    arguments = [*RUN, "--out", str(tmp_path)]
    # The last process kills all of them at its second image of COCO retrieval.
    kill_all = partial(struck.at_image, "2:2:kill_all:val2014")
    assert RunningRanks(3, arguments, kill_all).finish()[0] == -signal.SIGKILL
    assert [path.name for path in tmp_path.rglob("[!.]*.part-2")] == [PART]
    code, shown = RunningRanks(2, arguments).finish()
    assert code == 0, shown
    assert contents(tmp_path) == expected


LONGER = ["run", "--task", "refcoco+", "--split", "val", "--limit", "120", "--batch-size", "2"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    out = tmp_path_factory.mktemp("calm")
    assert main([*LONGER, "--out", str(out)]) == 0
    return contents(out)


def by_torchrun(arguments, strike):
    """The exit code and the output of two processes, one of them struck."""
    node = ["--standalone", "--nproc-per-node=2", "-m", "tests.support.struck"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIKE", strike)
        running = RunningTorchrun([*node, *arguments])
    return running.finish()


def by_forks(arguments, strike):
    return RunningRanks(2, arguments, partial(struck.at_image, strike)).finish()


@pytest.mark.parametrize(("rank", "run"), [(0, by_torchrun), (0, by_forks), (1, by_forks)])
def test_a_process_that_dies_ends_the_run_with_a_clear_error_and_loses_nothing(
    rank, run, calm, tmp_path, capsys
):
    arguments = [*LONGER, "--out", str(tmp_path)]
    # Early: the other process would take over the batches of a slow one.
    code, shown = run(arguments, f"{rank}:20:kill:train2014")
    assert code != 0
    assert f"process {1 - rank} of 2" in shown
    assert "what was predicted is kept, run the same command to go on" in shown
    files = list(tmp_path.rglob("refcoco+.*.predictions.jsonl*"))
    assert len(files) == 2
    assert sum(len(path.read_bytes().splitlines()) for path in files) > 4
    assert main(arguments) == 0
    assert "were predicted before" in capsys.readouterr().err
    assert contents(tmp_path) == calm
