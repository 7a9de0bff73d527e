"""Read NLVR2: the official files (one example per line) and the flat lists of ALBEF and X-VLM.

Formats: lil-lab/nlvr (`nlvr2/data/{dev,test1}.json`) and zengyan-97/X-VLM (`nlvr_{dev,test}.json`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from harness.errors import DataError
from harness.files.kinds import read_text
from harness.files.parsing import decode_json_list, decode_json_text
from harness.metrics.nlvr2 import group_of, image_set_of

LABELS = {"True": True, "False": False}
IDENTIFIER = re.compile(r"[a-z0-9]+-\d+-\d+-\d+")  # split-set-pair-sentence
IMAGE = re.compile(r"(.*/)?([a-z0-9]+)-(\d+)-(\d+)-img[01]\.\w+")  # split-set-pair


@dataclass(frozen=True)
class Example:
    """A statement about two image files, `left` and `right`, named as in the annotation.

    `group` is the consistency group: the examples of one sentence. `image_set` names the set of
    images that the pair is from; two sentences were written about most sets.
    """

    identifier: str
    left: str
    right: str
    sentence: str
    label: bool
    group: str
    image_set: str


class _Line(Struct, gc=False):
    identifier: str
    sentence: str
    label: str | bool


class _FlatExample(Struct, gc=False):
    sentence: str
    label: str | bool
    images: tuple[str, str]


def read_lines(path: Path, *, folder: str) -> list[Example]:
    """Return the examples of an official file, in order.

    Their images are `folder/split-set-pair-img0.png` and `folder/split-set-pair-img1.png`.
    """
    examples: dict[str, Example] = {}
    # Only line breaks end a line, not U+2028 or U+0085 inside a sentence; the last may be blank.
    for number, line in enumerate(read_text(path).rstrip().split("\n"), start=1):
        where = f"{path}, line {number}"
        entry = decode_json_text(line, _Line, where=where)
        identifier = entry.identifier
        if not IDENTIFIER.fullmatch(identifier):
            raise DataError(
                f"{where}: identifier should be like 'dev-850-0-0', but is {identifier!r}"
            )
        if identifier in examples:
            raise DataError(f"{where}: the identifier {identifier!r} occurs twice")
        pair = f"{folder}/{identifier.rsplit('-', 1)[0]}"
        examples[identifier] = Example(
            identifier,
            f"{pair}-img0.png",
            f"{pair}-img1.png",
            entry.sentence,
            _label(entry.label, where),
            group_of(identifier),
            image_set_of(identifier),
        )
    return list(examples.values())


def read_flat_statements(path: Path) -> list[Example]:
    """Return the examples of a flat list of `{"sentence", "label", "images"}`, in order.

    The list has no identifiers: an example is identified by its index. Its group is rebuilt from
    the set number in its image names and its sentence.
    """
    examples = []
    for number, entry in enumerate(decode_json_list(path, _FlatExample)):
        left, right = entry.images
        name = IMAGE.fullmatch(left)
        pair_set = f"{name[2]}-{name[3]}" if name else left
        examples.append(
            Example(
                str(number),
                left,
                right,
                entry.sentence,
                _label(entry.label, f"{path}, item {number}"),
                f"{pair_set}: {entry.sentence}",
                pair_set,
            )
        )
    return examples


def _label(label: str | bool, where: str) -> bool:
    """Return a label: a string in the official files, true or false in X2-VLM's lists."""
    if isinstance(label, bool):
        return label
    if label not in LABELS:
        raise DataError(f"{where}: label should be 'True' or 'False', but is {label!r}")
    return LABELS[label]
