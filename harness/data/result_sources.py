"""The data of stored results: own data for results on it, benchmarks for all others."""

from dataclasses import dataclass

from harness.data.own import OwnFiles
from harness.data.resolve import Benchmarks, DataSource
from harness.errors import DataError
from harness.formats.own.folder import is_own


@dataclass(frozen=True)
class OwnBesideBenchmarks:
    """Own data, and the benchmarks for the results of a folder that are not on it."""

    own: OwnFiles
    benchmarks: Benchmarks

    def __str__(self) -> str:
        return str(self.own)


ResultSource = DataSource | OwnBesideBenchmarks


def source_of(source: ResultSource, task: str) -> DataSource:
    """Return the data for a result of a task.

    Raises DataError for a task on own data without any, and for a benchmark with nothing else.
    """
    if isinstance(source, OwnBesideBenchmarks):
        return source.own if is_own(task) else source.benchmarks
    if is_own(task) and not isinstance(source, OwnFiles):
        raise DataError(
            "it is on data of your own; name them: --annotations FILE --images DIR, from Python "
            "annotations=FILE, images=DIR"
        )
    if isinstance(source, OwnFiles) and not is_own(task):
        raise DataError(f"its data are not {source}, but a benchmark; give --data DIR")
    return source
