"""Subsets of the embedded benchmark, of the size of the limited run: their results on disk."""

import json

SPLITS = {
    "vqav2": "val",
    "nlvr2": "dev",
    "coco-caption": "val",
    "flickr30k-retrieval": "val",
    "coco-retrieval": "val",
    "refcoco+": "testB",
    "ovad": "box",
}
LIMIT = 12  # as in the limited run


def predictions(out, task):
    """The path of a subset's predictions."""
    return out / "xvlm-shapes" / f"{task}.{SPLITS[task]}.limit-{LIMIT}.predictions.jsonl"


def record_path(out, task):
    """The path of a subset's record, which may not be there."""
    return out / "xvlm-shapes" / f"{task}.{SPLITS[task]}.limit-{LIMIT}.json"


def record(out, task):
    """The fields of a subset's record."""
    return json.loads(record_path(out, task).read_text())
