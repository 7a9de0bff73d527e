"""Measured beside published numbers: which record fills which row, and how far off it is.

The rows hold full precision; `layouts` turns them into tables.
"""

from collections.abc import Iterable

from harness.checkpoints import entries, normalise_name
from harness.errors import UsageError, nearest
from harness.formats.own.folder import is_own
from harness.records import stored
from harness.records.record import ResultRecord
from harness.rendering import Row
from harness.tables.folders import folder_of
from harness.tables.order import sorting_key
from harness.tables.paper import MetricKey, Paper, PaperRow
from harness.tables.published import PublishedNumber, published_numbers
from harness.tables.verdict import pending_metrics, verdict

HASH_DIGITS = 8  # of a file's SHA-256, shown beside its name
MEASURED = (
    "measured", "delta", "interval", "n", "checkpoint", "checkpoint_sha256", "protocol", "settings",
    "receipt",
)  # fmt: skip


def paper_rows(
    records: Iterable[ResultRecord], paper: Paper, *, checkpoint: str | None = None
) -> list[Row]:
    """Return the paper's rows in its order, filled by records of the official protocols.

    A row is filled by the checkpoint that its number was printed for, which an unfilled row shows
    if it is not the paper's main one; or all rows are filled by the one named `checkpoint`. Of
    records in several folders, the first fills a row. Raises UsageError for a name that neither a
    record nor an entry of checkpoints.yaml has.
    """
    records = list(records)
    name = resolve_checkpoint(checkpoint, records)
    comparable = {
        (record.checkpoint["name"], record.task, record.split): record
        for record in reversed(records)
        # A file given by path may have any name: by default, only entries of checkpoints.yaml
        # stand for the paper's models.
        if paper.is_comparable(record) and (checkpoint or is_registered(record))
    }
    rows = []
    for row in paper.rows:
        task, split, _ = row.measured_by
        record = comparable.get((name or paper.checkpoint_of(row), task, split))
        shown_unfilled = None if name else row.checkpoint
        rows.append(_paper_row(row, record, paper, shown_unfilled=shown_unfilled))
    return rows


def leaderboard_rows(records: Iterable[ResultRecord], paper: Paper) -> list[Row]:
    """Return a row per checkpoint, protocol, split and metric, measured or published.

    Only records of official splits are shown. A published number stands beside the one that was
    measured with the same model by the same protocol, and otherwise in a row of its own.
    """
    numbers = published_numbers(paper)
    measured: list[PublishedNumber] = []
    rows = []
    for record in records:
        if paper.objection(record) is not None:
            continue
        for metric in [*record.metrics, *pending_metrics(record, paper)]:
            key = MetricKey(record.task, record.split, metric)
            published = next((p for p in numbers if _is_of(p, record, key)), None)
            if published is not None:
                measured.append(published)
            rows.append(_leaderboard_row(display_name(record), key, record, published, paper))
    rows += [_leaderboard_row(p.model, p.key, None, p, paper) for p in numbers if p not in measured]
    return sorted(rows, key=lambda row: sorting_key(row, paper))


def all_rows(records: Iterable[ResultRecord], paper: Paper) -> list[Row]:
    """Return a row for every metric of every record, whatever its task, data and protocol.

    Published numbers stand beside those that they can be compared with.
    """
    numbers = published_numbers(paper)
    rows: list[Row] = []
    for record in records:
        comparable = paper.objection(record) is None
        for metric in _all_metrics(record, paper):
            key = MetricKey(record.task, record.split, metric)
            matching = (p for p in numbers if comparable and _is_of(p, record, key))
            row = _leaderboard_row(display_name(record), key, record, next(matching, None), paper)
            subset = f"{record.n} of {record.subset.total}" if record.subset else record.n
            rows.append({**row, "n": subset, "data": _data_name(record)})
    return sorted(rows, key=lambda row: sorting_key(row, paper))


def _all_metrics(record: ResultRecord, paper: Paper) -> list[str]:
    """Return the metrics of a record; those that were not computed where there is no other."""
    without = [] if record.metrics else list(record.not_run)
    return list(dict.fromkeys([*record.metrics, *pending_metrics(record, paper), *without]))


def _data_name(record: ResultRecord) -> str:
    """Return the name of a record's data; of own data also how the hash of its file begins.

    Two files of one name are told apart by it, and `sha256sum FILE` shows it.
    """
    name = str(record.data["name"])
    hashes = record.data.get("files")
    if not is_own(record.task) or not isinstance(hashes, dict) or not hashes:
        return name
    return f"{name} {str(next(iter(hashes.values())))[:HASH_DIGITS]}"


def _is_of(published: PublishedNumber, record: ResultRecord, key: MetricKey) -> bool:
    """Return whether a published number is of a record's model, by the record's protocol."""
    return (
        published.key == key
        and published.registered == is_registered(record)
        and published.model == record.checkpoint["name"]
        and record.protocol in published.protocols
    )


def shapes_rows(records: Iterable[ResultRecord], paper: Paper) -> list[Row]:
    """Return a row for every metric measured on the embedded benchmark, in the paper's order."""
    rows = [
        {
            "task": record.task,
            "split": record.split,
            "metric": metric,
            **_measured(record, metric, None),
        }
        for record in records
        if record.embedded and record.subset is None
        for metric in record.metrics
    ]
    return sorted(rows, key=lambda row: sorting_key(row, paper))


def display_name(record: ResultRecord) -> str:
    """Return the name of a record's checkpoint; `(file)` marks one that was given by path.

    Its folder is added where two folders have results of one checkpoint.
    """
    name = f"{record.checkpoint['name']}{'' if is_registered(record) else ' (file)'}"
    return stored.display_name(name, folder_of(record))


def resolve_checkpoint(name: str | None, records: Iterable[ResultRecord]) -> str | None:
    """Return the checkpoint with a name, in which `_`, `-` and case do not matter; None for None.

    Raises UsageError for a name that neither a record nor an entry has.
    """
    if name is None:
        return None
    known = dict.fromkeys([*(record.checkpoint["name"] for record in records), *entries()])
    for candidate in known:
        if normalise_name(candidate) == normalise_name(name):
            return candidate
    raise UsageError(f"--checkpoint {name}: no result has this name{nearest(name, known)}")


def is_registered(record: ResultRecord) -> bool:
    """Return whether a record's checkpoint is an entry of checkpoints.yaml."""
    return record.checkpoint.get("registered") is True


def _paper_row(
    row: PaperRow, record: ResultRecord | None, paper: Paper, *, shown_unfilled: str | None
) -> Row:
    published = float(row.value)
    measured = _measured(record, row.measured_by.metric, published)
    return {
        "task": row.task,
        "dataset": row.dataset,
        "metric": row.metric,
        "model": row.model,
        "paper": published,
        "printed": row.value,
        **measured,
        "checkpoint": measured["checkpoint"] or shown_unfilled,
        "verdict": verdict(record, row.measured_by, published, paper),
        "measured_by": row.measured_by._asdict(),
    }


def _leaderboard_row(
    name: str,
    key: MetricKey,
    record: ResultRecord | None,
    published: PublishedNumber | None,
    paper: Paper,
) -> Row:
    value = published.value if published else None
    measured = _measured(record, key.metric, value)
    return {
        **measured,
        **key._asdict(),
        "checkpoint": name,
        "published": value,
        "source": published.source if published else None,
        "kind": published.kind if published else None,
        "verdict": verdict(record, key, value, paper),
        "protocol": record.protocol if record else (published.protocol if published else None),
    }


def _measured(record: ResultRecord | None, metric: str, published: float | None) -> Row:
    """Return MEASURED of a metric, all None without a record that has it."""
    value = record.metrics.get(metric) if record else None
    if record is None or value is None:
        return dict.fromkeys(MEASURED)
    return {
        "measured": value,
        "delta": None if published is None else value - published,
        "interval": record.intervals.get(metric),
        "n": record.n,
        "checkpoint": display_name(record),
        "checkpoint_sha256": record.checkpoint.get("sha256"),
        "protocol": record.protocol,
        "settings": record.settings,
        "receipt": record.predictions.get("receipt"),
    }
