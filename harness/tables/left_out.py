"""Why a record fills no row of the paper, or stands in no table at all."""

from collections.abc import Iterable

from harness.records.record import ResultRecord
from harness.tables.comparison import display_name, is_registered, resolve_checkpoint
from harness.tables.folders import folder_of
from harness.tables.paper import Paper


def objections(records: Iterable[ResultRecord], paper: Paper) -> list[str]:
    """Return why each record that no table shows is left out."""
    return [
        f"{_title(record)}: {reason}"
        for record in records
        if (reason := paper.objection(record))
        and (record.subset is not None or not record.embedded)
    ]


def passed_over(
    records: Iterable[ResultRecord], paper: Paper, *, checkpoint: str | None = None
) -> list[str]:
    """Return why each record of an official split fills no row.

    Its protocol, its checkpoint, or a record of the same checkpoint in a folder named before.
    """
    records = [record for record in records if paper.objection(record) is None]
    name = resolve_checkpoint(checkpoint, records)
    reasons = []
    filling: dict[tuple[str, str, str], ResultRecord] = {}
    for record in records:
        protocols, own_name = paper.official[record.task].protocols, record.checkpoint["name"]
        wanted = [name] if name else _checkpoints_of(record, paper)
        if record.protocol not in protocols:
            reasons.append(
                f"{_title(record)}: measured by the protocol {record.protocol}, "
                f"the paper's is {' or '.join(protocols)}"
            )
        elif own_name not in wanted or not (checkpoint or is_registered(record)):
            reasons.append(
                f"{_title(record)}: its rows are filled from {' and '.join(wanted)}; "
                f"`xvlm-eval table --checkpoint {own_name}` fills them from this one"
            )
        elif (first := filling.setdefault((own_name, *_split(record)), record)) is not record:
            reasons.append(
                f"{_title(record)}: its rows are filled from {folder_of(first)}, which is named "
                "before its folder"
            )
    return reasons


def _checkpoints_of(record: ResultRecord, paper: Paper) -> list[str]:
    """Return the models of the rows on a record's split, of the paper if it has no such row."""
    names = [
        paper.checkpoint_of(row)
        for row in paper.rows
        if row.measured_by[:2] == (record.task, record.split)
    ]
    return list(dict.fromkeys(names)) or [paper.checkpoint]


def _split(record: ResultRecord) -> tuple[str, str]:
    return record.task, record.split


def _title(record: ResultRecord) -> str:
    return f"{display_name(record)} {record.task} {record.split}"
