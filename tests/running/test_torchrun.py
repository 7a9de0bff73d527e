"""Several processes started by torchrun, as users start them: the records of one process.

`test_threads.py` shows the same for every task and split, with threads for processes.
"""

import signal

import pytest
import torch.distributed as dist

from harness.cli.main import main
from tests.support.results import LIMITED, contents
from tests.support.torchrun import finish, started

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


def test_two_nodes_of_which_one_is_held_back_end_in_the_records_of_one_process(expected, tmp_path):
    """As two machines: a launcher each, which find each other; here, both on this one."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    node = ["--nnodes=2", "--rdzv-id=7", "--rdzv-backend=c10d", "--rdzv-conf=is_host=0"]
    node += [f"--rdzv-endpoint=127.0.0.1:{store.port}", "--local-addr=127.0.0.1"]
    arguments, counts = [*RUN, "--out", str(tmp_path / "runs")], tmp_path / "counts"
    counts.mkdir()
    options = {"module": "tests.support.held", "node": node, "environment": {"COUNTS": str(counts)}}
    with started(1, arguments, **options) as first, started(1, arguments, **options) as second:
        shown = [run.communicate(timeout=240)[0] for run in (first, second)]
    assert first.returncode == second.returncode == 0, shown
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
    kill = {"STRIKE": "2:2:kill_all:val2014"}
    with started(3, arguments, "tests.support.struck", environment=kill) as run:
        run.communicate(timeout=240)
    assert run.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.rglob("[!.]*.part-2")] == [PART]
    finish(2, arguments)
    assert contents(tmp_path) == expected


LONGER = ["run", "--task", "refcoco+", "--split", "val", "--limit", "120", "--batch-size", "2"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    out = tmp_path_factory.mktemp("calm")
    assert main([*LONGER, "--out", str(out)]) == 0
    return contents(out)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_run_with_a_clear_error_and_loses_nothing(
    rank, calm, tmp_path, capsys
):
    arguments = [*LONGER, "--out", str(tmp_path)]
    kill = {"STRIKE": f"{rank}:25:kill:train2014"}
    with started(2, arguments, "tests.support.struck", environment=kill) as run:
        shown, _ = run.communicate(timeout=240)
    assert run.returncode != 0
    assert f"process {1 - rank} of 2" in shown
    assert "what was predicted is kept, run the same command to go on" in shown
    files = list(tmp_path.rglob("refcoco+.*.predictions.jsonl*"))
    assert len(files) == 2
    assert sum(len(path.read_bytes().splitlines()) for path in files) > 10
    assert main(arguments) == 0
    assert "were predicted before" in capsys.readouterr().err
    assert contents(tmp_path) == calm
