"""The table of a paper as data (`results/paper.yaml`), and the conditions for records in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct, structs

from harness.files.parsing import Finite, Int64, decode_yaml
from harness.files.paths import shipped_path
from harness.formats.own.folder import is_own
from harness.records.record import DEVIATIONS, ResultRecord

Counts = Mapping[str, Mapping[str, int | tuple[int, int]]]


class MetricKey(NamedTuple):
    """What a number measures: one metric of one task on one split."""

    task: str
    split: str
    metric: str


class PaperRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One printed number, in the words of the paper's listing.

    `value` keeps the printed digits. `checkpoint` is the model that the number was printed for,
    None for the paper's main one.
    """

    task: str
    dataset: str
    metric: str
    value: str
    model: str
    measured_by: MetricKey
    checkpoint: str | None = None


class Official(Struct, frozen=True, forbid_unknown_fields=True):
    """The conditions for records of a task: its version, and one of the protocols."""

    version: Int64
    protocols: tuple[str, ...]


class Paper(Struct, frozen=True, forbid_unknown_fields=True):
    """The table of a paper.

    source        where the numbers are listed
    checkpoint    the model of all rows that name no other
    tolerance     points within which a number is reproduced
    churn         percent of the samples whose outcome may differ between two runs of a checkpoint
    dtypes        precisions of comparable records
    needs_server  splits by task whose truths only a server knows
    official      conditions by task; records of other tasks fill no row
    counts        samples by task and split, in order; (smallest, largest) where only an approximate
                  number is published. Not in the file: the tasks state them
    """

    source: str
    checkpoint: str
    tolerance: Finite
    churn: Finite
    dtypes: tuple[str, ...]
    needs_server: Mapping[str, tuple[str, ...]]
    official: Mapping[str, Official]
    rows: Annotated[tuple[PaperRow, ...], Meta(min_length=1)]
    counts: Counts = {}

    @property
    def tasks(self) -> list[str]:
        """The tasks in the order of the rows."""
        return list(dict.fromkeys(row.measured_by.task for row in self.rows))

    def checkpoint_of(self, row: PaperRow) -> str:
        """Return the model that a row's number was printed for."""
        return row.checkpoint or self.checkpoint

    def objection(self, record: ResultRecord) -> str | None:
        """Return why a record may not stand beside published numbers, None if it may.

        It has to cover all of an official split, by the official version of the task, in one of
        `dtypes`. The protocol is not judged here: a leaderboard shows other protocols, too.
        """
        official = self.official.get(record.task)
        if record.subset is not None:
            return f"a subset of {record.subset.limit} of {record.subset.total}, not a result"
        if record.embedded:
            return "measured on the embedded benchmark"
        count = self.counts.get(record.task, {}).get(record.split)
        if is_own(record.task):
            return "measured on own data, which `xvlm-eval table --layout all` shows"
        if official is None or count is None:
            return "no published number is known for this task and split"
        low, high = (count, count) if isinstance(count, int) else count
        if not low <= record.n <= high:
            expected = low if low == high else f"{low} to {high}"
            return f"{record.n} samples, the official split has {expected}"
        if deviations := record.data.get(DEVIATIONS):
            return f"not the official split: {'; '.join(map(str, deviations))}"
        if skipped := record.predictions.get("skipped"):
            return (
                f"{len(skipped)} samples were skipped, as their images cannot be read; "
                "get them again, and start the run again"
            )
        if record.task_version != official.version:
            return (
                f"version {record.task_version} of the task, "
                f"the table holds version {official.version}"
            )
        if (dtype := record.settings.get("dtype")) not in self.dtypes:
            return f"computed in {dtype}, the table holds {' and '.join(self.dtypes)}"
        return None

    def is_comparable(self, record: ResultRecord) -> bool:
        """Return whether a record was made by an official protocol, and has no `objection`."""
        return (
            self.objection(record) is None
            and record.protocol in self.official[record.task].protocols
        )


def read_paper(counts: Counts, path: Path | None = None) -> Paper:
    """Read a paper's table, by default the one of X-VLM that comes with this project.

    `counts` are the official numbers of samples, `harness.registry.official_counts()`. Raises
    DataError, naming file and key, for any other file.
    """
    paper = decode_yaml(path or shipped_path("results/paper.yaml"), Paper)
    return structs.replace(paper, counts=counts)
