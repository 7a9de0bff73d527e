"""Write the rows of the hub's copies as the official files of the benchmarks.

Every converter returns how much of each split it wrote, in the words in which the official sizes are published.
"""

import json
import pickle
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.data.hub.rows import Row
from harness.errors import DataError
from harness.formats.folder import relative_path_within

Counts = Mapping[str, Mapping[str, int]]  # split of the task -> word -> count
Read = Callable[[str, Sequence[str]], Iterator[Row]]  # split of the hub, columns -> rows

NAMES = {"validation": "val"}  # what the hub calls a split
REFCOCO_IMAGE = re.compile(r"COCO_train2014_(\d{12})")


@dataclass(frozen=True)
class Job:
    """What a converter works on: the splits of the hub to read, how, and the data folder to write."""

    hub_splits: Sequence[str]
    read: Read
    root: Path


def write_vqa(job: Job) -> Counts:
    """Write VQA v2's questions, its annotations where the answers are not hidden, and each image once."""
    hub_split = job.hub_splits[0]
    hidden = hub_split != "validation"
    folder = "test2015" if hidden else "val2014"
    columns = ("question_id", "question", "image_id", "image")
    answered = (
        () if hidden else ("question_type", "multiple_choice_answer", "answers", "answer_type")
    )
    questions, annotations, images = [], [], set()
    for row in job.read(hub_split, (*columns, *answered)):
        question = {
            "image_id": int(row["image_id"]),
            "question": row["question"],
            "question_id": int(row["question_id"]),
        }
        questions.append(question)
        if not hidden:
            annotations.append(
                {
                    **{column: row[column] for column in answered},
                    "answers": [dict(answer) for answer in row["answers"]],
                    "image_id": question["image_id"],
                    "question_id": question["question_id"],
                }
            )
        if question["image_id"] not in images:
            images.add(question["image_id"])
            _write(
                job.root
                / "images"
                / "coco"
                / folder
                / f"COCO_{folder}_{question['image_id']:012d}.jpg",
                row["image"],
            )
    head = {"data_type": "mscoco", "data_subtype": folder}
    _write_json(
        job.root / "vqa" / f"v2_OpenEnded_mscoco_{folder}_questions.json",
        {**head, "questions": questions},
    )
    counts = {"samples": len(questions), "images": len(images)}
    if hidden:
        return {"test-dev": counts, "test": counts}
    _write_json(
        job.root / "vqa" / f"v2_mscoco_{folder}_annotations.json",
        {**head, "annotations": annotations},
    )
    return {
        "val": {**counts, "answers": sum(len(annotation["answers"]) for annotation in annotations)}
    }


def write_karpathy(job: Job) -> Counts:
    """Write `dataset_coco.json`; the copy holds no images."""
    images = [
        {
            "filepath": row["filename"].split("_")[1],  # COCO_val2014_000000391895.jpg
            "filename": row["filename"],
            "cocoid": int(row["cocoid"]),
            "imgid": int(row["imgid"]),
            "split": NAMES.get(hub_split, hub_split),
            "sentences": _sentences(row["sentences"]),
        }
        for hub_split in job.hub_splits
        for row in job.read(hub_split, ("filename", "cocoid", "imgid", "sentences"))
    ]
    _write_json(job.root / "coco" / "dataset_coco.json", {"dataset": "coco", "images": images})
    return _caption_counts(images)


def write_flickr30k(job: Job) -> Counts:
    """Write `dataset_flickr30k.json` and the images of test and val; the column `split` tells them from the other 29,000."""
    images: list[dict[str, Any]] = []
    for row in job.read(job.hub_splits[0], ("image", "caption", "filename", "split")):
        if row["split"] in ("test", "val"):
            name = relative_path_within(str(row["filename"]), where="a row of the copy")
            images.append(
                {
                    "filename": name,
                    "imgid": len(images),
                    "split": row["split"],
                    "sentences": _sentences(row["caption"]),
                }
            )
            _write(job.root / "images" / "flickr30k-images" / name, row["image"])
    _write_json(
        job.root / "flickr30k" / "dataset_flickr30k.json",
        {"dataset": "flickr30k", "images": images},
    )
    return _caption_counts(images)


def write_refcoco(job: Job) -> Counts:
    """Write `refs(unc).p`, `instances.json` and the images. A row is a reference with all its expressions in `answer`."""
    refs: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    images: dict[int, dict[str, Any]] = {}
    sent_id = 0
    for split in job.hub_splits:
        for row in job.read(split, ("image", "answer", "bbox", "file_name")):
            image_id = _refcoco_image(row["file_name"])
            name = f"COCO_train2014_{image_id:012d}.jpg"
            if image_id not in images:
                images[image_id] = {"id": image_id, "file_name": name, **_size(row["image"], name)}
                _write(job.root / "images" / "coco" / "train2014" / name, row["image"])
            said = [
                {"sent_id": sent_id + place, "sent": text, "raw": text}
                for place, text in enumerate(row["answer"])
            ]
            sent_id += len(said)
            number = len(refs)
            # The copy has boxes in float32; their shortest digits are those of the original, which has two decimals.
            box = [float(str(np.float32(value))) for value in row["bbox"]]
            annotations.append({"id": number, "image_id": image_id, "bbox": box, "iscrowd": 0})
            refs.append(
                {
                    "ref_id": number,
                    "ann_id": number,
                    "image_id": image_id,
                    "split": split,
                    "sentences": said,
                }
            )
    _write_json(
        job.root / "refcoco+" / "instances.json",
        {"images": list(images.values()), "annotations": annotations},
    )
    _write(job.root / "refcoco+" / "refs(unc).p", pickle.dumps(refs, protocol=2))
    return {
        split: _refcoco_counts([ref for ref in refs if ref["split"] == split])
        for split in job.hub_splits
    }


CONVERTERS: Mapping[str, Callable[[Job], Counts]] = {
    "vqa": write_vqa,
    "karpathy": write_karpathy,
    "flickr30k": write_flickr30k,
    "refcoco": write_refcoco,
}


def _sentences(captions: Iterable[str]) -> list[dict[str, str]]:
    return [{"raw": caption} for caption in captions]


def _caption_counts(images: Sequence[Mapping[str, Any]]) -> Counts:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"samples": 0, "captions": 0})
    for image in images:
        counts[image["split"]]["samples"] += 1
        counts[image["split"]]["captions"] += len(image["sentences"])
    return dict(counts)


def _refcoco_counts(refs: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    samples = sum(len(ref["sentences"]) for ref in refs)
    return {
        "samples": samples,
        "images": len({ref["image_id"] for ref in refs}),
        "references": len(refs),
    }


def _refcoco_image(file_name: Any) -> int:
    """Return COCO's number of an image; the copy's names end in the number of a reference, as those of `refs(unc).p` do."""
    found = REFCOCO_IMAGE.match(str(file_name))
    if found is None:
        raise DataError(
            f"a row of the copy is about the image {file_name!r}; its name should begin with COCO_train2014_ and twelve digits"
        )
    return int(found[1])


def _size(content: bytes, name: str) -> dict[str, int]:
    try:
        with Image.open(BytesIO(content)) as image:
            return {"width": image.width, "height": image.height}
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"the image {name} of the copy cannot be read ({error})") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_json(path: Path, content: Any) -> None:
    _write(path, (json.dumps(content, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))
