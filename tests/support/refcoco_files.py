"""Write tiny RefCOCO+ files: two images, three references, five expressions."""

import json
import pickle
from pathlib import Path
from typing import Any

from PIL import Image

BOXES = {10: [10, 20, 30, 40], 11: [0, 0, 50, 50], 12: [60, 10, 20, 20]}


def refs() -> list[dict[str, Any]]:
    def ref(
        ref_id: int, ann_id: int, image_id: int, split: str, sentences: dict[int, str]
    ) -> dict[str, Any]:
        rows = [
            {"sent_id": i, "sent": text, "raw": text.upper(), "tokens": text.split()}
            for i, text in sentences.items()
        ]
        return {
            "ref_id": ref_id,
            "ann_id": ann_id,
            "image_id": image_id,
            "category_id": 1,
            "split": split,
            "file_name": "ignored_0.jpg",
            "sent_ids": list(sentences),
            "sentences": rows,
        }

    return [
        ref(0, 10, 1, "val", {100: "red cup", 101: "the cup"}),
        ref(1, 11, 1, "val", {102: "blue plate"}),
        ref(2, 12, 2, "testA", {103: "man", 104: "tall man"}),
    ]


def instances() -> dict[str, Any]:
    return {
        "images": [
            {"id": 1, "file_name": "one.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "two.jpg", "width": 90, "height": 120},
        ],
        "annotations": [
            {"id": ann_id, "image_id": 2 if ann_id == 12 else 1, "bbox": box}
            for ann_id, box in BOXES.items()
        ],
    }


def detections() -> dict[str, Any]:
    """The boxes of the objects, those of image 1 behind a detection that has a score."""
    return {"1": [[40, 40, 20, 20, 0.9], BOXES[10], BOXES[11]], "2": [BOXES[12]]}


def write(root: Path, *, refs_content: Any = None, instances_content: Any = None) -> Path:
    """Write a data folder and return it."""
    folder, images = root / "refcoco+", root / "images" / "coco" / "train2014"
    folder.mkdir(parents=True)
    images.mkdir(parents=True)
    (folder / "refs(unc).p").write_bytes(
        pickle.dumps(refs() if refs_content is None else refs_content, protocol=0)
    )
    (folder / "instances.json").write_text(
        json.dumps(instances() if instances_content is None else instances_content)
    )
    Image.new("RGB", (100, 80), "red").save(images / "one.jpg")
    Image.new("RGB", (90, 120), "blue").save(images / "two.jpg")
    return root
