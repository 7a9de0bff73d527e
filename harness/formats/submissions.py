"""Read predictions in the official result format of each benchmark, and match them to samples."""

import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from harness.errors import DataError
from harness.files.parsing import Finite, Int64, decode_json_list, read_text

EXAMPLES = 3  # ids named in a message

Pairs = Iterable[tuple[Any, Any]]  # (sample id, prediction)


class _Answer(Struct, gc=False):
    question_id: Int64
    answer: str


class _Caption(Struct, gc=False):
    image_id: Int64 | str
    caption: str


class _Box(Struct, gc=False):
    pred: tuple[Finite, Finite, Finite, Finite]
    sent_id: Int64 | UnsetType = UNSET
    ref_id: Int64 | UnsetType = UNSET


class _DetectedBox(Struct, gc=False):
    sent_id: Int64
    pred: tuple[Finite, Finite, Finite, Finite] | None


def match_predictions(path: Path, predictions: Pairs, ids: Sequence[Any]) -> Mapping[Any, Any]:
    """Return predictions by sample id.

    Raises DataError, with counts and examples, for missing, duplicate and unknown ids.
    """
    pairs = list(predictions)
    by_id = dict(pairs)
    if len(by_id) == len(pairs) and by_id.keys() == set(ids):
        return by_id
    counts, known = Counter(id for id, _ in pairs), set(ids)
    faults = {
        "are missing": [id for id in ids if id not in counts],
        "occur more than once": [id for id, count in counts.items() if count > 1],
        "belong to no sample": [id for id in counts if id not in known],
    }
    problems = [
        f"{len(faulty)} ids {fault}, e.g. {', '.join(map(repr, faulty[:EXAMPLES]))}"
        for fault, faulty in faults.items()
        if faulty
    ]
    raise DataError(
        f"{path}: {'; '.join(problems)} ({len(pairs)} predictions for {len(ids)} samples)"
    )


def read_answers(path: Path) -> Pairs:
    """Return (question_id, answer) of VQA's results: a JSON list of both."""
    return [(entry.question_id, entry.answer) for entry in decode_json_list(path, _Answer)]


def read_captions(path: Path) -> Pairs:
    """Return (image_id, caption) of COCO's caption results: a JSON list of both."""
    return [(entry.image_id, entry.caption) for entry in decode_json_list(path, _Caption)]


def read_labels(path: Path) -> Pairs:
    """Return (identifier, label) of NLVR2's predictions: a CSV file with lines `identifier,True`.

    Further columns are ignored, as by the official scorer. Raises DataError for a label with a
    blank beside it, which that scorer counts as wrong.
    """
    pairs = []
    lines = read_text(path).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, start=1):
        identifier, *columns = line.split(",")
        label = columns[0].lower() if columns else ""
        if label not in ("true", "false"):
            problem = "should be `identifier,True` or `identifier,False`"
            if label.strip() in ("true", "false"):
                problem += " without blanks, which the official scorer counts as wrong"
            elif number == 1:
                problem += ", without a header line"
            raise DataError(f"{path}, line {number}: {problem}, but is {reprlib.repr(line)}")
        pairs.append((identifier, label == "true"))
    return pairs


def read_boxes(path: Path, sent_ids_of: Mapping[int, Sequence[int]]) -> Pairs:
    """Return (sent_id, box) of a JSON list of `pred` boxes, (cx, cy, w, h) in 0..1.

    An entry has a `sent_id`, or a `ref_id` as X-VLM writes it. Entries with the same `ref_id` are
    the expressions `sent_ids_of` that reference, in order.
    """
    pairs: list[tuple[int, Any]] = []
    used: Counter[int] = Counter()
    for number, entry in enumerate(decode_json_list(path, _Box)):
        box, where = list(entry.pred), f"{path}, item {number}"
        if entry.sent_id is not UNSET:
            pairs.append((entry.sent_id, box))
            continue
        if entry.ref_id is UNSET:
            raise DataError(f"{where}: has neither 'sent_id' nor 'ref_id'")
        sent_ids = sent_ids_of.get(entry.ref_id, ())
        if used[entry.ref_id] >= len(sent_ids):
            raise DataError(
                f"{where}: ref_id {entry.ref_id} has {len(sent_ids)} expressions here, "
                "this is one more"
            )
        pairs.append((sent_ids[used[entry.ref_id]], box))
        used[entry.ref_id] += 1
    return pairs


def read_detected_boxes(path: Path) -> Pairs:
    """Return (sent_id, box) of a JSON list of both: `pred` is (x, y, w, h) in pixels, or null."""
    entries = decode_json_list(path, _DetectedBox)
    return [(entry.sent_id, entry.pred and list(entry.pred)) for entry in entries]
