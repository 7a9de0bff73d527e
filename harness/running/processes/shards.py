"""The prediction file of a run of several processes, written in shards.

Rank 0 writes the file itself; every other rank writes a shard beside it, `<file>.part-<rank>`.
Shards are merged into the file when all processes are done, or when the run is started again after
a kill, with any number of processes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from harness.records.id_column import IdColumn
from harness.records.predictions import PredictionFile, open_predictions
from harness.running.processes.distributed import ProcessGroup
from harness.task import Prediction, SampleId


class ShardedPredictions(NamedTuple):
    """The predictions of a run, seen from one process.

    file      the shard of this process
    before    the ids of samples with a prediction when this sitting began, of any process
    software  the packages, processor and batch size that the run was begun with
    """

    file: PredictionFile
    before: IdColumn
    software: Mapping[str, Any]

    def append(
        self, predictions: Iterable[tuple[SampleId, Prediction]], inputs: Mapping[SampleId, str]
    ) -> None:
        """Write predictions, with the fingerprints of their inputs, into this process's shard.

        A kill cannot lose them any more.
        """
        self.file.append(predictions, inputs)


@contextmanager
def open_sharded(
    path: Path,
    identity: Mapping[str, Any],
    *,
    software: Mapping[str, Any],
    inputs: Mapping[str, Any],
    fresh: bool,
    group: ProcessGroup,
    check: Callable[[PredictionFile], None],
) -> Iterator[ShardedPredictions]:
    """Open the prediction file of a run in rank 0, as `open_predictions` does, and else a shard.

    A collective call; rank 0 calls `check` with what was predicted before. Raises UsageError where
    a process does not see the file of rank 0, as on another machine with a folder of its own.
    """
    if group.rank == 0:
        with open_predictions(
            path, identity, software=software, inputs=inputs, fresh=fresh
        ) as file:
            if fresh:
                _remove_shards(path)
            merge_shards(file, identity)
            check(file)
            begun = file.ids, file.software
            group.all_gather(begun)
            yield ShardedPredictions(file, *begun)
    else:
        (begun, *_) = group.all_gather((IdColumn([]), software))
        if not path.exists():
            raise UsageError(
                f"{path}: process {group.rank} does not see this file of process 0; "
                "--out has to be a folder that all processes share"
            )
        shard = _shard_path(path, group.rank)
        with open_predictions(shard, identity, software=software, fresh=True) as file:
            yield ShardedPredictions(file, *begun)


def merge_shards(file: PredictionFile, identity: Mapping[str, Any]) -> None:
    """Append the shards beside a file to it, and delete them.

    Raises IdentityError for a shard of another run.
    """
    for path in _shard_paths(file.path):
        with open_predictions(path, identity, software={}) as shard:
            file.append(
                [(id, prediction) for id, prediction in shard.done.items() if id not in file],
                shard.fingerprints,
            )
        path.unlink()


def _shard_path(path: Path, rank: int) -> Path:
    return path.with_name(f"{path.name}.part-{rank}")


def _shard_paths(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{escape(path.name)}.part-*"))


def _remove_shards(path: Path) -> None:
    for shard in _shard_paths(path):
        shard.unlink()
