"""Damage to the files of a small benchmark, and the words that its error must have."""

import json
import os
import pickle
from pathlib import Path

import torch

from tests.support.models_on_disk import grounding_state, write_checkpoint


def change(path, **changes):
    """Edit the object at `path` (file, then keys) of a JSON or pickle file."""
    file, *keys = path
    read, write = (
        (json.loads, lambda value: json.dumps(value).encode())
        if file.suffix == ".json"
        else (pickle.loads, pickle.dumps)
    )
    content = item = read(file.read_bytes())
    for key in keys:
        item = item[key]
    for key, value in changes.items():
        if value is ...:
            del item[key]
        else:
            item[key] = value
    file.write_bytes(write(content))


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


REFS = Path("data/refcoco+/refs(unc).p")
INSTANCES = Path("data/refcoco+/instances.json")
IMAGE = Path("data/images/coco/train2014/one.jpg")
FLAT = Path("data/refcoco+_val.json")
BROKEN = {
    "a truncated image": (
        lambda: IMAGE.write_bytes(IMAGE.read_bytes()[:300]),
        ["one.jpg", "sample 100", "cannot be decoded"],
    ),
    "an empty image": (lambda: IMAGE.write_bytes(b""), ["one.jpg", "sample 100"]),
    "a web page instead of an image": (
        lambda: IMAGE.write_text("<html>not found</html>"),
        ["one.jpg", "sample 100"],
    ),
    "a missing image": (IMAGE.unlink, ["one.jpg", "no such image", "sample 100"]),
    "a folder instead of an image": (
        lambda: (IMAGE.unlink(), IMAGE.mkdir()),
        ["one.jpg", "sample 100"],
    ),
    "zero bytes of JSON": (lambda: INSTANCES.write_bytes(b""), ["instances.json", "is empty"]),
    "half a JSON file": (
        lambda: INSTANCES.write_bytes(INSTANCES.read_bytes()[:100]),
        ["instances.json", "not JSON", "(column 99)"],
    ),
    "binary instead of JSON": (
        lambda: INSTANCES.write_bytes(b"\xff\xfe\x00"),
        ["instances.json", "not UTF-8"],
    ),
    "JSON nested without end": (
        lambda: INSTANCES.write_text("[" * 200000),
        ["instances.json", "is not JSON that can be read"],
    ),
    "JSON of another shape": (
        lambda: INSTANCES.write_text("[1, 2]"),
        ["instances.json", "should be an object"],
    ),
    "a list where there should be objects": (
        lambda: INSTANCES.write_text('{"images": [3]}'),
        ["instances.json", "images[0] should be an object, but is 3"],
    ),
    "no boxes": (
        lambda: change([INSTANCES], annotations=[]),
        ["instances.json", "annotations is an empty list"],
    ),
    "a box of three numbers": (
        lambda: change([INSTANCES, "annotations", 0], bbox=[1, 2, 3]),
        ["annotations[0].bbox should have 4 items, but is [1, 2, 3]"],
    ),
    "a box of words": (
        lambda: change([INSTANCES, "annotations", 0], bbox=["a", 2, 3, 4]),
        ["annotations[0].bbox[0] should be a number, but is 'a'"],
    ),
    "a box that is not a number": (
        lambda: change([INSTANCES, "annotations", 1], bbox=[1, 2, float("nan"), 4]),
        ["annotations[1].bbox[2] should be a finite number, but is NaN"],
    ),
    "a box without a size": (
        lambda: change([INSTANCES, "annotations", 1], bbox=[1, 2, 0, 4]),
        ["annotation 11", "empty box"],
    ),
    "a box outside its image": (
        lambda: change([INSTANCES, "annotations", 1], bbox=[100, 2, 5, 4]),
        ["annotation 11", "outside", "100 x 80"],
    ),
    "a width in words": (
        lambda: change([INSTANCES, "images", 0], width="100"),
        ["images[0].width should be a whole number, but is '100'"],
    ),
    "a name that leaves the folder": (
        lambda: change([INSTANCES, "images", 0], file_name="../../../etc/passwd"),
        ["etc/passwd", "outside of"],
    ),
    "an absolute name": (
        lambda: change([INSTANCES, "images", 0], file_name="/etc/passwd"),
        ["etc/passwd", "outside of"],
    ),
    "a reference without annotation": (
        lambda: change([REFS, 1], ann_id=77),
        ["ref_id 1", "annotation 77"],
    ),
    "a reference to another image": (
        lambda: change([REFS, 1], image_id=2),
        ["ref_id 1", "image 2", "image 1"],
    ),
    "an image that is not listed": (
        lambda: change([INSTANCES, "images", 0], id=5),
        ["annotation 10", "image 1"],
    ),
    "a reference without sentences": (
        lambda: change([REFS, 0], sentences=...),
        ["refs(unc).p, item 0: has no 'sentences'"],
    ),
    "a sentence id in words": (
        lambda: change([REFS, 0, "sentences", 0], sent_id="100"),
        ["item 0: sentences[0].sent_id should be a whole number, but is '100'"],
    ),
    "an annotation twice": (
        lambda: change([INSTANCES, "annotations", 1], id=10),
        ["annotations[1]: the id 10 occurs twice"],
    ),
    "an image twice": (
        lambda: change([INSTANCES, "images", 1], id=1),
        ["images[1]: the id 1 occurs twice"],
    ),
    "a pipe instead of an image": (
        lambda: (IMAGE.unlink(), os.mkfifo(IMAGE)),
        ["one.jpg", "is not a file", "sample 100"],
    ),
    "a pipe instead of references": (
        lambda: (REFS.unlink(), os.mkfifo(REFS)),
        ["refs(unc).p", "is not a file"],
    ),
    "a folder instead of boxes": (
        lambda: (INSTANCES.unlink(), INSTANCES.mkdir()),
        ["instances.json", "is not a file"],
    ),
    "a folder instead of a checkpoint": (
        lambda: (Path("weights/tiny.th").unlink(), Path("weights/tiny.th").mkdir()),
        ["tiny.th", "is a folder"],
    ),
    "a sentence id twice": (
        lambda: change([REFS, 1, "sentences", 0], sent_id=100),
        ["sent_id 100 occurs twice"],
    ),
    "a reference twice": (lambda: change([REFS, 1], ref_id=0), ["ref_id 0 occurs twice"]),
    "an expression of nothing but marks": (
        lambda: change([REFS, 0, "sentences", 0], sent="?!"),
        ["'?!'", "nothing is left"],
    ),
    "an expression too long to read": (
        lambda: change([REFS, 0, "sentences", 0], sent="tall " * 29),
        ["30 tokens", "reads 16"],
    ),
    "a pickle that calls os.system": (
        lambda: REFS.write_bytes(pickle.dumps([Attack()])),
        ["refs(unc).p", "system", "could run code"],
    ),
    "a pickle of a class": (
        lambda: REFS.write_bytes(pickle.dumps([Path("x")])),
        ["refs(unc).p", "pathlib"],
    ),
    "half a pickle": (
        lambda: REFS.write_bytes(REFS.read_bytes()[:200]),
        ["refs(unc).p", "not a readable pickle"],
    ),
    "an empty pickle": (lambda: REFS.write_bytes(b""), ["refs(unc).p", "is empty"]),
    "a pickle of a number": (
        lambda: REFS.write_bytes(pickle.dumps(3)),
        ["refs(unc).p", "should be a list"],
    ),
    "a split without references": (
        lambda: change([REFS, 0], split="train") or change([REFS, 1], split="train"),
        ["no expression of the split val"],
    ),
    "a flat list of unknown references": (
        lambda: FLAT.write_text('[{"image": "a", "text": "cup", "ref_id": 9}]'),
        ["item 0", "ref_id 9"],
    ),
    "a flat list of too many sentences": (
        lambda: FLAT.write_text(json.dumps([{"text": "cup", "ref_id": 1}] * 2)),
        ["item 1", "one more"],
    ),
    "missing references": (REFS.unlink, ["refs(unc).p", "get it from"]),
    "a missing data folder": (
        lambda: Path("data").rename("elsewhere"),
        ["data", "no such data folder"],
    ),
    "a missing checkpoint": (
        lambda: Path("weights/tiny.th").unlink(),
        ["weights/tiny.th", "no such file"],
    ),
    "a missing vocabulary": (
        lambda: Path("weights/vocab.txt").unlink(),
        ["vocab.txt", "bert-base-uncased"],
    ),
    "another vocabulary": (
        lambda: Path("weights/vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n"),
        ["6 word pieces", "13"],
    ),
    "a vocabulary that is none": (
        lambda: Path("weights/vocab.txt").write_text("a\nb\n"),
        ["vocab.txt", "[PAD]"],
    ),
    "a checkpoint with a missing key": (
        lambda: write_checkpoint(
            Path("weights/tiny.th"),
            {k: v for k, v in grounding_state().items() if k != "bbox_head.3.bias"},
        ),
        ["tiny.th", "lacks bbox_head.3.bias"],
    ),
    "a checkpoint with another head": (
        lambda: write_checkpoint(
            Path("weights/tiny.th"),
            {k.replace("bbox_head", "itm_head"): v for k, v in grounding_state().items()},
        ),
        ["refcoco+ needs a Grounder", "tiny.th", "retrieval"],
    ),
    "half a checkpoint": (
        lambda: Path("weights/tiny.th").write_bytes(Path("weights/tiny.th").read_bytes()[:5000]),
        ["tiny.th", "not a readable"],
    ),
    "a checkpoint that runs code": (
        lambda: torch.save({"model": Attack()}, "weights/tiny.th"),
        ["tiny.th", "would run code"],
    ),
}
