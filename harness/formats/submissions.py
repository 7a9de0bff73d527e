"""Read predictions in the official result format of each benchmark, and match them with its samples."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.files.parsing import items, read_json, read_text

EXAMPLES = 3  # ids that a message names

Pairs = Iterable[tuple[Any, Any]]


def match_predictions(path: Path, predictions: Pairs, ids: Sequence[Any]) -> Mapping[Any, Any]:
    """Return predictions by id. Raises DataError, with counts and examples, where ids are missing, unknown or there twice."""
    pairs = list(predictions)
    counts, wanted = Counter(id for id, _ in pairs), set(ids)
    wrong = {
        "are missing": [id for id in ids if id not in counts],
        "are there more than once": [id for id, count in counts.items() if count > 1],
        "belong to no sample": [id for id in counts if id not in wanted],
    }
    complaints = [
        f"{len(found)} ids {what}, e.g. {', '.join(map(repr, found[:EXAMPLES]))}"
        for what, found in wrong.items()
        if found
    ]
    if complaints:
        raise DataError(
            f"{path}: {'; '.join(complaints)} ({len(pairs)} predictions for {len(ids)} samples)"
        )
    return dict(pairs)


def read_answers(path: Path) -> Pairs:
    """Return (question_id, answer) of VQA's results: a JSON list of both."""
    return [
        (entry.get("question_id", int), entry.get("answer", str))
        for entry in items(read_json(path), str(path))
    ]


def read_captions(path: Path) -> Pairs:
    """Return (image_id, caption) of COCO's caption results: a JSON list of both."""
    return [
        (entry.get("image_id", int), entry.get("caption", str))
        for entry in items(read_json(path), str(path))
    ]


def read_labels(path: Path) -> Pairs:
    """Return (identifier, verdict) of NLVR2's predictions: a line each, `identifier,True`; further columns do not matter."""
    found = []
    for number, row in enumerate(csv.reader(io.StringIO(read_text(path))), start=1):
        if len(row) < 2 or row[1].strip().lower() not in ("true", "false"):
            raise DataError(
                f"{path}, line {number}: should be `identifier,True` or `identifier,False`, but is {','.join(row)!r}"
            )
        found.append((row[0], row[1].strip().lower() == "true"))
    return found


def read_boxes(path: Path, sent_ids_of: Mapping[int, Sequence[int]]) -> Pairs:
    """Return (sent_id, box) of boxes in 0..1: a JSON list of `pred` with `sent_id`, or with `ref_id` as X-VLM writes it.

    Of several boxes with the same `ref_id`, each is one of the expressions `sent_ids_of` this reference, in their order.
    """
    found: list[tuple[int, Any]] = []
    used: Counter[int] = Counter()
    for entry in items(read_json(path), str(path)):
        box = list(entry.numbers("pred", 4))
        if "sent_id" in entry.value:
            found.append((entry.get("sent_id", int), box))
            continue
        ref_id = entry.get("ref_id", int)
        sentences = sent_ids_of.get(ref_id, ())
        if used[ref_id] >= len(sentences):
            raise DataError(
                f"{entry.where}: ref_id {ref_id} has {len(sentences)} expressions here, this is one more"
            )
        found.append((sentences[used[ref_id]], box))
        used[ref_id] += 1
    return found
