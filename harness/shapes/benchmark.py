"""Write the embedded benchmark to disk: image files, and annotations in the official formats, so that it is read by the real loaders."""

import os
import pickle
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.files.parsing import read_json
from harness.files.paths import cache_folder
from harness.formats.folder import EMBEDDED, MARKER, DataFolder
from harness.shapes.formats import (
    write_captions_and_questions,
    write_flickr30k,
    write_nlvr2,
    write_ovad,
)
from harness.shapes.storage import coco_name, write_image, write_json
from harness.shapes.world.expressions import expressions
from harness.shapes.world.scenes import SHAPES, Object, Scene, evaluation_scene

VERSION = 2  # raise with any change of what is written: the folder of each version stays as it is
ROUND = "circle"  # what testA refers to, as RefCOCO+'s testA refers to people; testB refers to everything else


@dataclass(frozen=True)
class Split:
    """A split of RefCOCO+: how many scenes, and which shapes its references may be about."""

    name: str
    scenes: int
    shapes: tuple[str, ...]


SPLITS = (
    Split("val", 120, SHAPES),
    Split("testA", 160, (ROUND,)),
    Split("testB", 90, tuple(shape for shape in SHAPES if shape != ROUND)),
)


def embedded_data() -> DataFolder:
    """Return the embedded benchmark, writing it into the cache on first use (a few seconds). Raises DataError where that cannot be."""
    root = cache_folder() / "shapes" / f"v{VERSION}"
    if not _whole(root):
        temporary = root.with_name(f".{root.name}.{os.getpid()}")
        try:
            write_benchmark(temporary)
            if root.exists() and not _whole(root):  # a cleaner of old files has been at it
                shutil.rmtree(root)
            temporary.rename(root)
        except OSError as error:
            if not _whole(root):  # else another process wrote it meanwhile
                raise DataError(
                    f"{root}: the embedded benchmark cannot be written ({error.strerror}); set XVLM_EVAL_CACHE to a folder that can"
                ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return DataFolder(root, EMBEDDED)


def write_benchmark(root: Path) -> None:
    """Write images and annotations below `root`, and last a marker that says how many files there are."""
    root.mkdir(parents=True)
    scenes = list(_numbered_scenes())
    for image_id, _, scene in scenes:
        write_image(
            root / "images" / "coco" / "train2014" / coco_name("train2014", image_id), scene
        )
    _write_refcoco_plus(root / "refcoco+", scenes)
    for write in (write_captions_and_questions, write_flickr30k, write_nlvr2, write_ovad):
        write(root)
    write_json(root / MARKER, {"name": EMBEDDED, "version": VERSION, "files": _count(root)})


def _whole(root: Path) -> bool:
    """Whether every file is there that was written."""
    try:
        marker = read_json(root / MARKER)
        return isinstance(marker, dict) and marker.get("files") == _count(root)
    except DataError:
        return False


def _count(root: Path) -> int:
    return sum(path.is_file() and path.name != MARKER for path in root.rglob("*"))


def _numbered_scenes() -> Iterator[tuple[int, Split, Scene]]:
    """Yield (image id, split, scene); every scene has something that its split may refer to."""
    image_id = 0
    for split in SPLITS:
        attempt, found = 0, 0
        while found < split.scenes:
            scene = evaluation_scene(f"refcoco+:{split.name}:{attempt}")
            attempt += 1
            if any(thing.shape in split.shapes for thing in scene.objects):
                found, image_id = found + 1, image_id + 1
                yield image_id, split, scene


def _write_refcoco_plus(folder: Path, scenes: Sequence[tuple[int, Split, Scene]]) -> None:
    """Write `refs(unc).p` and `instances.json` as the REFER API reads them."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    refs: list[dict[str, Any]] = []
    sent_id = 0
    for image_id, split, scene in scenes:
        images.append(
            {
                "id": image_id,
                "file_name": coco_name("train2014", image_id),
                "width": scene.width,
                "height": scene.height,
            }
        )
        for thing in scene.objects:
            ann_id = len(annotations) + 1
            annotations.append(_annotation(ann_id, image_id, thing))
            if thing.shape not in split.shapes:
                continue
            sentences = []
            for text in expressions(scene, thing, seed=f"refcoco+:{ann_id}"):
                sentences.append(
                    {"sent_id": sent_id, "raw": text, "sent": text, "tokens": text.split()}
                )
                sent_id += 1
            refs.append(
                {
                    "ref_id": len(refs),
                    "ann_id": ann_id,
                    "image_id": image_id,
                    "category_id": SHAPES.index(thing.shape) + 1,
                    "split": split.name,
                    "file_name": coco_name("train2014", image_id).replace(".jpg", f"_{ann_id}.jpg"),
                    "sent_ids": [sentence["sent_id"] for sentence in sentences],
                    "sentences": sentences,
                }
            )
    categories = [
        {"id": number, "name": name, "supercategory": "shape"}
        for number, name in enumerate(SHAPES, start=1)
    ]
    write_json(
        folder / "instances.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )
    (folder / "refs(unc).p").write_bytes(_pickled(refs))


def _pickled(value: Any) -> bytes:
    """Return a pickle in the text protocol of the original files. No part refers to another: that would depend on the Python version."""
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer, protocol=0)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()


def _annotation(ann_id: int, image_id: int, thing: Object) -> dict[str, Any]:
    x, y, w, h = thing.box
    return {
        "id": ann_id,
        "image_id": image_id,
        "category_id": SHAPES.index(thing.shape) + 1,
        "bbox": [x, y, w, h],
        "area": w * h,
        "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
        "iscrowd": 0,
    }
