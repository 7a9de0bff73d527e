"""Read the annotations of own data: rows validated as entries of a kind, each with an id."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Generic, TypeVar

from msgspec import structs

from harness.errors import DataError, nearest
from harness.files.parsing import convert
from harness.files.validation_errors import show
from harness.formats.folder import name_of_file, relative_path_within
from harness.formats.own.kinds import CaptionEntry, Entry
from harness.formats.own.rows import Row, read_rows

T = TypeVar("T", bound=Entry)


@dataclass(frozen=True)
class Located(Generic[T]):
    """An entry, where it stands, and its id, made up if the file has none."""

    where: str
    entry: T
    id: int | str


@dataclass(frozen=True)
class Entries(Generic[T]):
    """The entries of a file. `truths`: whether they say what is right; all do, or none does."""

    located: Sequence[Located[T]]
    truths: bool
    ambiguous: int = 0


def read_entries(
    path: Path, entry_type: type[T], *, kind: str, truth: str, more: Sequence[Path] = ()
) -> Entries[T]:
    """Return the entries of an annotation file of a `kind`, and of `more` files, in order.

    Entries without ids are numbered from 1. `truth` names the key of the truths, for messages.
    Raises DataError, naming file, line and id, for anything that does not follow the format.
    """
    located, ambiguous = _located(path, entry_type, kind, more)
    return _complete(located, truth, ambiguous)


def read_captioned(
    path: Path, *, kind: str, images: Path, more: Sequence[Path] = ()
) -> Entries[CaptionEntry]:
    """Return the images of an annotation file, and of `more`, with all their captions, in order.

    Lines with a single `caption` of the same image are one entry. Entries without ids have the name
    of their image as id. `images` is the folder of the images, which tells whether two forms of a
    name are one file. Raises as `read_entries`, and for an image that two entries have.
    """
    located, ambiguous = _located(path, CaptionEntry, kind, more)
    by_image: dict[str, Located[CaptionEntry]] = {}
    for each in located:
        image, entry = each.entry.image, each.entry
        id = image if entry.id is None else entry.id
        # ./a.jpg and a.jpg are one image, as are the two forms of Unicode of a name.
        file = name_of_file(PurePosixPath(image).as_posix(), images.joinpath)
        first = by_image.get(file)
        if first is None:
            captions = list(entry.texts()) or None
            merged = structs.replace(entry, captions=captions, caption=None)
            by_image[file] = Located(each.where, merged, id)
            continue
        if entry.caption is None or id != first.id:
            raise DataError(
                f"{each.where}: the image {show(image)} occurs twice, first in {first.where}; "
                "put its captions together, or give one 'caption' a line, with one id or with none"
            )
        first.entry.captions = [*(first.entry.captions or ()), entry.caption]
    return _complete(list(by_image.values()), "captions", ambiguous)


def _located(
    path: Path, entry_type: type[T], kind: str, more: Sequence[Path]
) -> tuple[list[Located[T]], int]:
    """Return the entries of files, numbered where they have no id, and how many are left out."""
    rows = read_rows(path, kind=kind, more=more)
    if not rows.rows:
        raise DataError(f"{path}: has no annotation")
    entries = [(row.where, _entry(row, entry_type)) for row in rows.rows]
    without = [where for where, entry in entries if entry.id is None]
    if 0 < len(without) < len(entries):
        raise DataError(
            f"{without[0]}: has no 'id', but others have; give one to all of them, or to none"
        )
    numbered = enumerate(entries, start=1)
    located = [
        Located(where, entry, number if entry.id is None else entry.id)
        for number, (where, entry) in numbered
    ]
    return located, rows.ambiguous


def _complete(located: Sequence[Located[T]], truth: str, ambiguous: int) -> Entries[T]:
    """Return entries that all have truths, or none. Raises DataError otherwise, and for two ids."""
    first: dict[str, str] = {}
    for each in located:
        if (key := str(each.id)) in first:  # a record lists ids as texts: 7 and "7" are the same
            raise DataError(
                f"{each.where}: the id {show(each.id)} occurs twice, first in {first[key]}; "
                "predictions are stored by id"
            )
        first[key] = each.where
    lacking = [each.where for each in located if not each.entry.has_truth]
    if 0 < len(lacking) < len(located):
        raise DataError(
            f"{lacking[0]}: has no {truth!r}, like {len(lacking):,} of {len(located):,} "
            "annotations; give it to all of them, or to none to predict only"
        )
    return Entries(located, truths=not lacking, ambiguous=ambiguous)


def _entry(row: Row, entry_type: type[T]) -> T:
    """Return the entry of a row. Raises DataError for an unknown key, a type or a value."""
    known = entry_type.__struct_fields__
    for key in row.values:
        if key not in known:
            raise DataError(
                f"{row.where}: has the unknown key {show(key)}{nearest(key, known)} "
                "(keys that begin with _ are comments)"
            )
    entry = convert(dict(row.values), entry_type, where=row.where)
    if entry.id == "":
        raise DataError(f"{row.where}: id is empty")
    if any(not text.strip() for text in entry.texts()):
        raise DataError(f"{row.where}: has a blank text")
    if problem := entry.problem():
        raise DataError(f"{row.where}: {problem}")
    for name in entry.named_images():
        relative_path_within(name, where=row.where)
    return entry
