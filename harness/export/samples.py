"""Every sample of results as a table: CSV, or Parquet with its types."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.rendering import Row
from harness.running.stored.sample_rows import row_of
from harness.running.stored.samples import StoredSamples


def sample_rows(results: Iterable[StoredSamples]) -> Iterator[Row]:
    """Yield a row for each sample of each result, after its checkpoint, task and split.

    Ids are texts, and predictions as they are `stored` are JSON: benchmarks have different types.
    """
    for samples in results:
        record = samples.result.record
        for sample in samples:
            yield {
                "checkpoint": str(record.checkpoint["name"]),
                "task": record.task,
                "split": record.split,
                **row_of(sample),
                "id": str(sample.id),
                "stored": json.dumps(sample.prediction, ensure_ascii=False),
            }


def to_csv(rows: Iterable[Row]) -> str:
    """Return rows as CSV, at full precision; a missing value is empty."""
    rows = list(rows)
    file = io.StringIO()
    writer = csv.DictWriter(file, _columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write rows as Parquet."""
    # Imported here: CSV does without them.
    import pandas as pd

    rows = list(rows)
    pd.DataFrame(rows, columns=_columns(rows)).to_parquet(path, engine="pyarrow", index=False)


def _columns(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))
