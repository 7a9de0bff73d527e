"""One run as a value: a task on one split, its data and weights, and where the results go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.checkpoints import Weights
from harness.formats.folder import DataFolder
from harness.images import STRICT
from harness.plugins import Plugin
from harness.records.record import record_path
from harness.registry import model_plugin, task_plugin
from harness.task import Task


@dataclass(frozen=True)
class Speed:
    """What makes a run fast or slow, and moves none of its metrics.

    `batch_size` None: as large as memory allows. Another batch size may move the last digits of a
    predicted float. `workers` are threads that decode images.
    """

    batch_size: int | None = None
    workers: int = 1


@dataclass(frozen=True)
class Run:
    """Everything that determines one record.

    limit   evaluate a subset of this many samples; None: the whole split
    skip    count the samples of an unreadable image as wrong, instead of failing
    images  the policy that decodes images (`harness.images.decoding`)
    fresh   discard the predictions of an earlier run
    sha256  of the weight file, filled in when it is loaded
    """

    task: Task
    split: str
    data: DataFolder
    weights: Weights
    out: Path
    speed: Speed
    device: str = "auto"
    dtype: str = "float32"
    limit: int | None = None
    skip: bool = False
    images: str = STRICT
    fresh: bool = False
    sha256: str = ""

    @property
    def title(self) -> str:
        """The checkpoint, the task and the split, for messages."""
        return f"{self.weights.name} {self.task.name} {self.split}"

    @property
    def key(self) -> tuple[str, str]:
        """The task and the split: no two runs of one command have the same."""
        return self.task.name, self.split

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """The names of the weights in a record; `registered` ones are in checkpoints.yaml."""
        return {
            "name": self.weights.name,
            "registered": self.weights.release is not None,
            "file": self.weights.path.name,
        }

    @property
    def plugins(self) -> Sequence[Plugin]:
        """The packages of others that its task and its model family come from."""
        plugins = (task_plugin(self.task.name), model_plugin(self.weights.family))
        return [plugin for plugin in plugins if plugin is not None]

    def path(self, suffix: str = ".json") -> Path:
        """Return the path of the record, or of a file beside it."""
        return record_path(
            self.out,
            checkpoint=self.weights.name,
            task=self.task.name,
            split=self.split,
            limit=self.limit,
            suffix=suffix,
        )


class Outcome(NamedTuple):
    """The record that a run ends in and, for a hidden split, the file to upload to its server.

    `caveats` say what makes its metrics doubtful. `export` holds the predictions on own data in the
    words of its annotations.
    """

    record: Path
    submission: Path | None = None
    caveats: Sequence[str] = ()
    export: Path | None = None
