"""Several processes, played by threads, end in the records of one for every task and split.

`test_torchrun.py` shows the same for real processes.
"""

import pytest

from harness.callbacks import no_progress
from harness.data.resolve import resolve_data
from harness.running.launch import agree_on_plan, run_all
from harness.running.planning import Request
from harness.running.run import Speed
from tests.support.results import EMBEDDED, contents
from tests.support.threads import in_threads

CAPTIONS = "coco-caption"  # scored by Java for seconds: one split is enough


@pytest.mark.parametrize("task", EMBEDDED)
def test_three_processes_end_in_the_records_of_one(task, limited, tmp_path):
    """Two of which go on with what an interrupted run of four left: a shard that is torn."""
    expected = contents(limited, f"{task}.")
    left = 0
    for name, content in expected.items():
        if name.endswith(".predictions.jsonl"):
            shard = tmp_path / f"{name}.part-3"
            shard.parent.mkdir(exist_ok=True)
            head, *lines = content.splitlines(keepends=True)
            (tmp_path / name).write_bytes(head)
            shard.write_bytes(head + b"".join(lines[1:4])[:-10])
            left += 1
    request = Request(
        tasks=[task],
        splits=["val"] if task == CAPTIONS else [],
        checkpoint=None,
        data=resolve_data(None),
        out=tmp_path,
        speed=Speed(batch_size=5),
        device="auto",
        dtype="float32",
        limit=12,
    )

    def work(group):
        plan = agree_on_plan(request, group, progress=no_progress)
        outcomes = list(run_all(plan, group, progress=no_progress, warn=pytest.fail))
        assert len(outcomes) == (left if group.rank == 0 else 0)

    in_threads(3, work)
    assert contents(tmp_path) == expected
