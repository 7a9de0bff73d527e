"""Records of several folders in one table: those of one checkpoint are told apart by folder."""

from collections.abc import Sequence
from dataclasses import replace

from harness.records.record import ResultRecord
from harness.records.stored import ambiguous_names

FOLDER = "folder"  # a key of `checkpoint` that no record on disk has


def tell_apart(folders: Sequence[tuple[str, Sequence[ResultRecord]]]) -> list[ResultRecord]:
    """Return the records of named folders; results of one name in two folders carry their folder.

    A checkpoint is marked where two folders have a result of it on the same task and split.
    """
    ambiguous = ambiguous_names([records for _, records in folders])
    return [
        replace(record, checkpoint={**record.checkpoint, FOLDER: folder})
        if record.checkpoint["name"] in ambiguous
        else record
        for folder, records in folders
        for record in records
    ]


def folder_of(record: ResultRecord) -> str:
    """Return the folder of a record that shares its name with another one, else nothing."""
    return str(record.checkpoint.get(FOLDER, ""))
