"""Read NLVR2: the original files (one example a line) and the flat lists of ALBEF and X-VLM."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.files.parsing import Item, items, read_json, read_text
from harness.metrics.nlvr2 import group_of

LABELS = {"True": True, "False": False}
IDENTIFIER = re.compile(r"[a-z0-9]+-\d+-\d+-\d+")
PICTURE = re.compile(r"(.*/)?([a-z0-9]+)-(\d+)-(\d+)-img[01]\.\w+")


@dataclass(frozen=True)
class Example:
    """A statement about two image files (`left` and `right`, as the annotation names them); `group` is its consistency group."""

    identifier: str
    left: str
    right: str
    sentence: str
    label: bool
    group: str


def read_lines(path: Path, *, folder: str) -> list[Example]:
    """Return the examples of an original file; their images are `folder/split-set-pair-img0.png` and `...-img1.png`."""
    examples: dict[str, Example] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        where = f"{path}, line {number}"
        try:
            entry = Item(json.loads(line), where)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: is not JSON") from error
        identifier = entry.get("identifier", str)
        if not IDENTIFIER.fullmatch(identifier):
            raise DataError(
                f"{where}: 'identifier' should be like dev-850-0-0, but is {identifier!r}"
            )
        if identifier in examples:
            raise DataError(f"{where}: the identifier {identifier} occurs twice")
        pair = f"{folder}/{identifier.rsplit('-', 1)[0]}"
        examples[identifier] = Example(
            identifier,
            f"{pair}-img0.png",
            f"{pair}-img1.png",
            entry.get("sentence", str),
            _label(entry),
            group_of(identifier),
        )
    if not examples:
        raise DataError(f"{path}: is empty; the download or copy broke off: get it again")
    return list(examples.values())


def read_flat_statements(path: Path) -> list[Example]:
    """Return the examples of a flat list of `{"sentence", "label", "images"}`.

    It has no identifiers: an example is told by its place, its group by the set in its images' names and its sentence.
    """
    examples = []
    for number, entry in enumerate(items(read_json(path), str(path))):
        left, right = entry.words("images", 2)
        sentence, name = entry.get("sentence", str), PICTURE.fullmatch(left)
        group = f"{name[2]}-{name[3]}: {sentence}" if name else f"{left}: {sentence}"
        examples.append(Example(str(number), left, right, sentence, _label(entry), group))
    return examples


def _label(entry: Item) -> bool:
    label = entry.get("label", str)
    if label not in LABELS:
        raise DataError(f"{entry.where}: 'label' should be True or False, but is {label!r}")
    return LABELS[label]
