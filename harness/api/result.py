"""One result as an object: its record, and its samples."""

import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.benchmarks import LoadedTask
from harness.api.folders import TemporaryFolder
from harness.api.samples import ResultSample
from harness.data.resolve import Embedded
from harness.data.result_sources import ResultSource, source_of
from harness.errors import HarnessWarning, UsageError
from harness.records.record import ResultRecord
from harness.records.stored import StoredResult
from harness.registry import find_task
from harness.rendering import Table, render
from harness.running.stored.sample_rows import row_of
from harness.running.stored.samples import StoredSamples
from harness.statistics.interval import Interval
from harness.tables.layouts import RECORD_COLUMNS, record_rows
from harness.task import SampleId

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {key: heading for key, heading in RECORD_COLUMNS.items() if key != "record"}


class Result:
    """The result of one checkpoint on one split of a benchmark: its record, and its samples."""

    def __init__(
        self,
        stored: StoredResult,
        data: LoadedTask | ResultSource,
        *,
        keep: TemporaryFolder | None = None,
    ) -> None:
        self.stored = stored
        self._data, self._keep = data, keep  # the folder lives as long as its results

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name} {value:.2f}" for name, value in self.metrics.items())
        return f"<Result {self.title}: {metrics or 'no metric'} (n = {self.n})>"

    def _repr_html_(self) -> str:
        return render([as_table([self])], "html")

    @property
    def record(self) -> ResultRecord:
        """The whole record; docs/record.md describes its fields."""
        return self.stored.record

    @property
    def path(self) -> Path:
        """The file of the record."""
        return self.stored.path

    @property
    def title(self) -> str:
        """Checkpoint, task and split."""
        return self.stored.title

    @property
    def checkpoint(self) -> str:
        """The name of the weights."""
        return str(self.record.checkpoint["name"])

    @property
    def task(self) -> str:
        """The name of the benchmark."""
        return self.record.task

    @property
    def split(self) -> str:
        """The split."""
        return self.record.split

    @property
    def n(self) -> int:
        """The number of samples."""
        return self.record.n

    @property
    def protocol(self) -> str:
        """Everything that can move a number: results of different protocols do not compare."""
        return self.record.protocol

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics, in percent or in the benchmark's own unit, at full precision."""
        return self.record.metrics

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """The 95 % confidence intervals of the metrics."""
        return self.record.intervals

    @property
    def breakdown(self) -> Mapping[str, Mapping[str, float]]:
        """Parts of the split, and other scoring protocols."""
        return self.record.breakdown

    @property
    def not_run(self) -> Mapping[str, str]:
        """The metrics that could not be computed, with the reasons."""
        return self.record.not_run

    @property
    def predictions(self) -> Mapping[int | str, Any]:
        """The predictions by sample id, as they are stored. Empty where they were not kept."""
        return self.stored.predictions or {}

    @property
    def benchmark(self) -> LoadedTask:
        """The benchmark with the data that the result was scored on."""
        if isinstance(self._data, LoadedTask):
            return self._data
        source = Embedded() if self.record.embedded else source_of(self._data, self.task)
        return LoadedTask(find_task(self.task), source)

    @cached_property
    def _samples(self) -> StoredSamples:
        """The samples, with those annotations, predictions and scores that are available."""
        given = self._data.definition if isinstance(self._data, LoadedTask) else None
        source = self._data.source if isinstance(self._data, LoadedTask) else self._data
        samples = StoredSamples(self.stored, source, task=given)
        for problem in samples.problems:
            warnings.warn(f"{self.title}: {problem}", HarnessWarning, stacklevel=4)
        return samples

    def samples(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each sample, by its id.

        Columns: `image` (path), `text`, `truth` and `prediction` in words, the measures of the task
        (higher is better), `wrong` by the first of them, and the prediction as it is `stored`.
        Unavailable parts, such as annotations that moved, are missing, with a HarnessWarning.
        """
        import pandas as pd

        rows = [row_of(sample) for sample in self._samples]
        return pd.DataFrame(rows).set_index("id") if rows else pd.DataFrame()

    def sample(self, id: SampleId) -> ResultSample:
        """Return a sample with its picture. Raises UsageError for an unknown id."""
        try:
            return ResultSample(self._samples[self._samples.index(id)])
        except (KeyError, ValueError) as error:
            raise UsageError(f"{self.title} has no sample {id!r}") from error


def as_table(results: Iterable[Result]) -> Table:
    rows = [
        {**row, "checkpoint": result.stored.checkpoint}
        for result in results
        for row in record_rows(result.record, result.path)
    ]
    return Table("Results", rows, COLUMNS)
