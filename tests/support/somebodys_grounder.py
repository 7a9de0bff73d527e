"""A grounder that knows nothing of torch and whose memory can be full, and images for it."""

import json
import pickle
from pathlib import Path

import numpy as np
from PIL import Image

from harness.errors import MemoryFull
from tests.support import refcoco_files

IMAGES, EXPRESSIONS = 6, 3  # of each image: 18 samples


class SomebodysGrounder:
    """A model whose boxes follow from image and expression alone.

    Its memory is full for more than `most` expressions at a time, and after so many `calls`.
    `batches` are the expressions of every call.
    """

    protocol, device, provenance = "somebodys", "cpu", {}

    def __init__(self, most=100, calls=None):
        self.most, self.calls, self.batches = most, calls, []

    def prepare(self, image):
        return np.asarray(image.convert("RGB").resize((2, 2)))

    def ground(self, images, expressions, image_of):
        self.batches.append(list(expressions))
        if len(expressions) > self.most or (
            self.calls is not None and len(self.batches) > self.calls
        ):
            raise MemoryFull("somebody's device: out of memory")
        boxes = [
            [len(text) / 50, float(images[image].mean()) / 256, 0.5, 0.25]
            for text, image in zip(expressions, image_of, strict=True)
        ]
        return np.array(boxes, dtype=np.float32)


def write_images(root: Path) -> Path:
    """Write RefCOCO+ in its own format, and return its folder: samples of `val` only."""
    (root / "refcoco+").mkdir()
    photos = root / "images/coco/train2014"
    photos.mkdir(parents=True)
    refs, images, annotations = [], [], []
    for number in range(IMAGES):
        texts = ["cup" + " red" * (number + n) for n in range(EXPRESSIONS)]
        sentences = [
            {"sent_id": 10 * number + n, "sent": t, "raw": t, "tokens": t.split()}
            for n, t in enumerate(texts)
        ]
        ids = {"ref_id": number, "ann_id": number, "image_id": number}
        sent_ids = [sentence["sent_id"] for sentence in sentences]
        reference = {**ids, "sent_ids": sent_ids, "sentences": sentences}
        refs.append(refcoco_files.refs()[0] | reference)
        images.append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 30})
        annotations.append({"id": number, "image_id": number, "bbox": [5, 5, 20, 10]})
        Image.new("RGB", (40, 30), (40 * number, 90, 160)).save(photos / f"{number}.png")
    (root / "refcoco+/refs(unc).p").write_bytes(pickle.dumps(refs, protocol=0))
    (root / "refcoco+/instances.json").write_text(
        json.dumps({"images": images, "annotations": annotations})
    )
    return root
