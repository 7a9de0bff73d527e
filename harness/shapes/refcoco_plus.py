"""Write RefCOCO+, RefCOCO and RefCOCOg in the files of the REFER API: `refs` and `instances.json`.

All three refer to the same objects in other words. `dets.json`, X-VLM's file of detections, holds
the boxes of all objects.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from harness.shapes.storage import coco_name, write_image, write_json
from harness.shapes.world.expressions import expressions
from harness.shapes.world.scenes import SHAPES, Object, Scene, evaluation_scene

FOLDER = "train2014"  # of COCO's images
ROUND = "circle"  # testA refers to circles as RefCOCO+'s testA refers to people; testB to the rest


@dataclass(frozen=True)
class Split:
    """A split of RefCOCO+: its number of scenes, and the shapes that it refers to."""

    name: str
    scenes: int
    shapes: tuple[str, ...]


SPLITS = (
    Split("val", 120, SHAPES),
    Split("testA", 160, (ROUND,)),
    Split("testB", 90, tuple(shape for shape in SHAPES if shape != ROUND)),
)
# Folder -> file of references -> its splits, each with the scenes of a split of RefCOCO+.
REFERENCES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "refcoco+": {"refs(unc).p": {split.name: split.name for split in SPLITS}},
    "refcoco": {"refs(unc).p": {split.name: split.name for split in SPLITS}},
    "refcocog": {
        "refs(umd).p": {"val": "val", "test": "testA"},
        "refs(google).p": {"val": "testB"},
    },
}


class _Image(NamedTuple):
    id: int
    split: Split
    scene: Scene

    @property
    def file_name(self) -> str:
        return coco_name(FOLDER, self.id)


def write_refcoco_plus(root: Path) -> None:
    """Write images and annotations of all splits below `root`."""
    images = list(_images())
    for image in images:
        write_image(root / "images" / "coco" / FOLDER / image.file_name, image.scene)
    write_json(
        root / "refcoco+" / "dets.json",
        {str(image.id): [list(obj.box) for obj in image.scene.objects] for image in images},
    )
    for name, files in REFERENCES.items():
        write_json(root / name / "instances.json", _instances(images))
        for file, splits in files.items():
            scenes_of = {scenes: split for split, scenes in splits.items()}
            refs = list(_refs(images, name, scenes_of))
            (root / name / file).write_bytes(_pickled(refs))


def _images() -> Iterator[_Image]:
    """Yield the images of all splits; each shows an object that its split refers to."""
    image_id = 0
    for split in SPLITS:
        attempt, count = 0, 0
        while count < split.scenes:
            scene = evaluation_scene(f"refcoco+:{split.name}:{attempt}")
            attempt += 1
            if any(obj.shape in split.shapes for obj in scene.objects):
                count, image_id = count + 1, image_id + 1
                yield _Image(image_id, split, scene)


def _numbered_objects(images: Sequence[_Image]) -> Iterator[tuple[int, _Image, Object]]:
    """Yield (annotation id, image, object) of every object."""
    objects = ((image, obj) for image in images for obj in image.scene.objects)
    for ann_id, (image, obj) in enumerate(objects, start=1):
        yield ann_id, image, obj


def _instances(images: Sequence[_Image]) -> dict[str, Any]:
    """Return images, objects and categories in the form of COCO's instances."""
    return {
        "images": [
            {
                "id": image.id,
                "file_name": image.file_name,
                "width": image.scene.width,
                "height": image.scene.height,
            }
            for image in images
        ],
        "annotations": [
            _annotation(ann_id, image.id, obj) for ann_id, image, obj in _numbered_objects(images)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": "shape"}
            for number, name in enumerate(SHAPES, start=1)
        ],
    }


def _annotation(ann_id: int, image_id: int, obj: Object) -> dict[str, Any]:
    x, y, w, h = obj.box
    return {
        "id": ann_id,
        "image_id": image_id,
        "category_id": _category_id(obj),
        "bbox": [x, y, w, h],
        "area": w * h,
        "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
        "iscrowd": 0,
    }


def _refs(
    images: Sequence[_Image], name: str, split_of: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield one reference, with all of its expressions, per object that its split refers to.

    `split_of` names the split of a dataset that has the scenes of a split of RefCOCO+.
    """
    ref_id = sent_id = 0
    for ann_id, image, obj in _numbered_objects(images):
        if obj.shape not in image.split.shapes or image.split.name not in split_of:
            continue
        texts = expressions(image.scene, obj, seed=f"{name}:{ann_id}")
        sentences = [
            {"sent_id": number, "raw": text, "sent": text, "tokens": text.split()}
            for number, text in enumerate(texts, start=sent_id)
        ]
        yield {
            "ref_id": ref_id,
            "ann_id": ann_id,
            "image_id": image.id,
            "category_id": _category_id(obj),
            "split": split_of[image.split.name],
            "file_name": image.file_name.replace(".jpg", f"_{ann_id}.jpg"),
            "sent_ids": [sentence["sent_id"] for sentence in sentences],
            "sentences": sentences,
        }
        ref_id, sent_id = ref_id + 1, sent_id + len(sentences)


def _category_id(obj: Object) -> int:
    return SHAPES.index(obj.shape) + 1


def _pickled(value: Any) -> bytes:
    """Return a pickle in the text protocol of the original files.

    `fast` disables references between equal objects, which would depend on the Python version.
    """
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer, protocol=0)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()
