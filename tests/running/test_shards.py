"""What several processes write: the file of rank 0, and the shards of the others beside it."""

import pytest

from harness.errors import IdentityError, UsageError
from harness.records.id_column import IdColumn
from harness.records.predictions import open_predictions
from harness.running.processes.distributed import SingleProcess, deal
from harness.running.processes.shards import merge_shards, open_sharded

IDENTITY = {"task": "t"}


class Second(SingleProcess):
    """Rank 1 of two processes: sample 1 was predicted before."""

    rank, size = 1, 2

    def all_gather(self, value):
        return [(IdColumn([1]), {"batch_size": 8}), value]


def write(path, *predictions, identity=IDENTITY):
    with open_predictions(path, identity, software={}) as file:
        file.append(predictions)


def test_items_are_dealt_out_in_turn():
    assert deal("abcde", 1) == ["abcde"]
    assert deal("abcde", 2) == ["ace", "bd"]


def unchecked(file):
    """Accept whatever was predicted before."""


@pytest.mark.parametrize("name", ["p.jsonl", "own[1].p*.jsonl"])
def test_rank_0_merges_the_shards_that_others_left(tmp_path, name):
    path = tmp_path / name
    write(path, (1, "one"))
    write(tmp_path / f"{name}.part-1", (2, "two"), (1, "again"))
    write(tmp_path / f"{name}.part-2", (3, "three"))
    with open_sharded(
        path, IDENTITY, software={}, inputs={}, fresh=False, group=SingleProcess(), check=unchecked
    ) as shared:
        assert shared.before == {1, 2, 3}
        assert dict(shared.file.done) == {1: "one", 2: "two", 3: "three"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_fresh_run_deletes_the_shards_as_well(tmp_path):
    write(tmp_path / "p.jsonl.part-1", (2, "two"))
    with open_sharded(
        tmp_path / "p.jsonl",
        IDENTITY,
        software={},
        inputs={},
        fresh=True,
        group=SingleProcess(),
        check=unchecked,
    ) as shared:
        assert not shared.before and not shared.file.done
    assert [path.name for path in tmp_path.iterdir()] == ["p.jsonl"]


def test_another_rank_writes_its_own_shard_and_need_not_predict_what_was_there(tmp_path):
    path = tmp_path / "p.jsonl"
    write(path, (1, "one"))
    with open_sharded(
        path, IDENTITY, software={}, inputs={}, fresh=False, group=Second(), check=unchecked
    ) as shared:
        shared.file.append([(2, "two")])
        assert shared.before == {1} and dict(shared.file.done) == {2: "two"}
        assert shared.software == {"batch_size": 8}
    with open_predictions(path, IDENTITY, software={}) as file:
        merge_shards(file, IDENTITY)
        assert dict(file.done) == {1: "one", 2: "two"}


def test_a_shard_of_another_run_is_refused_and_kept(tmp_path):
    write(tmp_path / "p.jsonl.part-1", (2, "two"), identity={"task": "u"})
    with (
        pytest.raises(
            IdentityError, match=r"part-1: belongs to another run \(there / now: task: u / t\)"
        ),
        open_sharded(
            tmp_path / "p.jsonl",
            IDENTITY,
            software={},
            inputs={},
            fresh=False,
            group=SingleProcess(),
            check=unchecked,
        ),
    ):
        pass
    assert (tmp_path / "p.jsonl.part-1").exists()


def test_processes_that_do_not_share_the_output_folder_are_refused(tmp_path):
    with (
        pytest.raises(
            UsageError,
            match="process 1 does not see this file of process 0; --out has to be a folder",
        ),
        open_sharded(
            tmp_path / "p.jsonl",
            IDENTITY,
            software={},
            inputs={},
            fresh=False,
            group=Second(),
            check=unchecked,
        ),
    ):
        pass
