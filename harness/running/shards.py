"""The prediction file of a run of several processes: the first one writes the file itself, every other a part beside it.

Parts are taken into the file when all processes are done, or when the run is started again after a kill, with however many processes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from harness.records.predictions import PredictionFile, open_predictions
from harness.running.distributed import ProcessGroup


class ShardedPredictions(NamedTuple):
    """Where this process writes its predictions, and the samples that were predicted before it began, by any process."""

    file: PredictionFile
    before: frozenset[Any]

    @property
    def done(self) -> frozenset[Any]:
        """The samples that this process need not predict any more."""
        return self.before | self.file.done.keys()


@contextmanager
def open_sharded(
    path: Path,
    identity: Mapping[str, Any],
    *,
    software: Mapping[str, Any],
    inputs: Mapping[str, Any],
    fresh: bool,
    group: ProcessGroup,
) -> Iterator[ShardedPredictions]:
    """Open the prediction file of a run as `open_predictions` does: for the first process itself, for every other its own part of it.

    Raises UsageError where another machine writes into a folder of its own.
    """
    if group.rank == 0:
        with open_predictions(
            path, identity, software=software, inputs=inputs, fresh=fresh
        ) as file:
            if fresh:
                _remove_parts(path)
            merge_shards(file, identity)
            (before, *_) = group.all_gather(frozenset(file.done))
            yield ShardedPredictions(file, before)
    else:
        (before, *_) = group.all_gather(frozenset())
        if not path.exists():
            raise UsageError(
                f"{path}: process {group.rank} does not see this file of the first one; --out has to be a folder that all share"
            )
        with open_predictions(
            _part(path, group.rank), identity, software=software, fresh=True
        ) as file:
            yield ShardedPredictions(file, before)


def merge_shards(file: PredictionFile, identity: Mapping[str, Any]) -> None:
    """Append what the parts beside a file hold, and remove them. Raises IdentityError for a part of another run."""
    for path in _parts(file.path):
        with open_predictions(path, identity, software={}) as part:
            file.append(
                [(id, prediction) for id, prediction in part.done.items() if id not in file.done]
            )
        path.unlink()


def _part(path: Path, rank: int) -> Path:
    return path.with_name(f"{path.name}.part-{rank}")


def _parts(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.part-*"))


def _remove_parts(path: Path) -> None:
    for part in _parts(path):
        part.unlink()
