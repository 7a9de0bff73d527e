"""Read annotations of own data as rows: named values of one line, item or row of a table.

.csv, .tsv      a table with a header line
.json           a list of objects, COCO's captions or boxes, or VQA's questions and answers
anything else   JSON lines; a list of objects is recognised
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import DataError
from harness.files.double_keys import refuse_double_keys
from harness.files.kinds import read_text
from harness.files.parsing import decode_json_text, is_number
from harness.files.validation_errors import describe_non_json, show
from harness.formats.own.coco import coco_rows, is_coco
from harness.formats.own.vqa import Document, is_vqa, vqa_rows

MAX_CELL = 2**24  # characters in a cell of a table
LISTS = ("box", "box_xyxy", "captions", "answers", "images")  # keys that hold lists
NUMBERS = ("width", "height")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Row:
    """The values of one annotation by their keys, and where they stand, for messages."""

    where: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """All rows of the files. `ambiguous` counts boxes of COCO that no expression can name alone."""

    rows: Sequence[Row]
    ambiguous: int = 0


def read_rows(path: Path, *, kind: str, more: Sequence[Path] = ()) -> Rows:
    """Return the rows of an annotation file, and of `more` of them, for a task of a `kind`.

    Files of VQA's format belong together; the rows of all others follow one another. Raises
    DataError for a file that is empty or follows none of the formats, naming the line, and for a
    file that is named twice.
    """
    paths = [path, *more]
    if twice := next((one for n, one in enumerate(paths) if _is_among(one, paths[:n])), None):
        raise DataError(f"{twice}: is named twice")
    rows: list[Row] = []
    documents: list[Document] = []
    ambiguous = 0
    for each in paths:
        part = _read_file(each, kind=kind)
        if isinstance(part, Document):
            documents.append(part)
        elif more and not part.rows:
            raise DataError(f"{each}: has no annotation")
        else:
            rows += part.rows
            ambiguous += part.ambiguous
    if documents:
        rows += [Row(where, values) for where, values in vqa_rows(documents, kind=kind)]
    return Rows(rows, ambiguous)


def _is_among(path: Path, others: Sequence[Path]) -> bool:
    return any(path.samefile(other) for other in others)


def _read_file(path: Path, *, kind: str) -> Rows | Document:
    """Return the rows of one file; the content of a file that may need another one."""
    text = read_text(path)
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() in (".csv", ".tsv"):
        return Rows(_table(text, path, "\t" if suffix.lower() == ".tsv" else ","))
    if text.lstrip().startswith("["):
        items = decode_json_text(text, list[dict[str, Any]], where=str(path))
        return Rows([_row(item, f"{path}, item {index}") for index, item in enumerate(items)])
    if suffix.lower() == ".json" and (content := _document(text, path)) is not None:
        if not is_coco(content):
            return Document(path, content)
        rows, ambiguous = coco_rows(content, path, kind=kind)
        return Rows([Row(where, values) for where, values in rows], ambiguous)
    # Only line breaks end a line, not U+2028 or U+0085 inside a text.
    numbered = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return Rows([_line(line, f"{path}, line {number}") for number, line in numbered])


def _document(text: str, path: Path) -> Any:
    """Return the content of a file in COCO's or VQA's format, None for any other text.

    Raises DataError for values that JSON lacks, and for a key that an object has twice.
    """
    try:
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return None
        known = is_coco(content) or is_vqa(content)
        if known and (problem := describe_non_json(content, str(path))):
            raise DataError(problem) from None
    if not is_coco(content) and not is_vqa(content):
        return None
    refuse_double_keys(text, str(path))
    return content


def _line(line: str, where: str) -> Row:
    return _row(decode_json_text(line, dict[str, Any], where=where), where)


def _row(values: Mapping[str, Any], where: str) -> Row:
    """Return a row without the comments: keys that begin with `_`; null stands for no value."""
    used = {k: v for k, v in values.items() if not k.startswith("_") and v is not None}
    return Row(_with_id(where, used.get("id")), used)


def _with_id(where: str, id: Any) -> str:
    return f"{where} (id {show(id)})" if isinstance(id, int | str) else where


def _table(text: str, path: Path, delimiter: str) -> list[Row]:
    """Return the rows of a table. Empty cells hold no value, empty lines no row."""
    head = text.split("\n", 1)[0]
    if delimiter == "," and "," not in head:  # spreadsheets of many countries write others
        delimiter = next((other for other in ";\t" if other in head), delimiter)
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, names = [], None
    try:
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = _header([cell.strip() for cell in cells], where)
                continue
            if len(cells) != len(names):
                raise DataError(
                    f"{where}: has {len(cells)} cells, but the header has {len(names)}; "
                    "put a text that holds the separator into double quotes"
                )
            values = dict(zip(names, cells, strict=True))
            texts = {name: cell for name, cell in values.items() if cell.strip()}
            rows.append(_row({n: _value(n, cell, where) for n, cell in texts.items()}, where))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: is not a table row: {error}") from error
    return rows


def _header(names: Sequence[str], where: str) -> Sequence[str]:
    """Return the names of the columns. Raises DataError for a name that occurs twice."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{where}: names the column {twice!r} twice")
    return names


def _value(name: str, cell: str, where: str) -> Any:
    """Return the value of a cell in JSON's types, by the name of its column.

    A list is written as in JSON, a box also as four numbers; a text alone is a list of one.
    """
    text = cell.strip()
    if name in LISTS and text.startswith("["):
        return decode_json_text(text, list[Any], where=f"{where}: {name}")
    if name in ("box", "box_xyxy"):
        return _each(text.replace(",", " ").split(), _number)
    if name in LISTS:
        return [text]
    if name in NUMBERS:
        return _number(text)
    if name in ("id", "group"):
        return _whole_number(text)
    return cell


def _whole_number(text: str) -> int | str:
    """Return digits as a number of 64 bits; other texts, and leading zeros, as they are."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text) or int(text) >= 2**63:
        return text
    return int(text)


def _each(words: Sequence[str], parse: Callable[[str], Any]) -> list[Any]:
    return [parse(word) for word in words]


def _number(text: str) -> Any:
    """Return a text as a number, or unchanged: the field is then refused by its name."""
    if not NUMBER.fullmatch(text):  # Python's own rules allow 1_0, nan and digits of all scripts
        return text
    number = float(text) if set(text) & set(".eE") or len(text) > 18 else int(text)
    return number if is_number(number) else text
