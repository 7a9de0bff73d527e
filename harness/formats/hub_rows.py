"""Write the rows of copies on Hugging Face's hub as the official files of the benchmarks.

Every function takes the rows and a data folder, writes annotations and images below it, and returns
the counts of each split by the names that official sizes are published under.
"""

import json
import pickle
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.dataset import HubRows, SplitCounts
from harness.errors import DataError
from harness.formats.folder import relative_path_within

SPLIT_NAMES = {"validation": "val"}  # the hub's name -> the benchmark's
COCO_NAME = re.compile(r"COCO_train2014_(\d{12})")


def write_vqa(rows: HubRows, root: Path) -> SplitCounts:
    """Write VQA v2's questions, the annotations where answers are public, and each image once."""
    hub_split = rows.splits[0]
    hidden = hub_split != "validation"
    folder = "test2015" if hidden else "val2014"
    columns = ("question_id", "question", "image_id", "image")
    answer_columns = (
        () if hidden else ("question_type", "multiple_choice_answer", "answers", "answer_type")
    )
    questions, annotations, images = [], [], set()
    for row in rows.read(hub_split, (*columns, *answer_columns)):
        image_id, question_id = int(row["image_id"]), int(row["question_id"])
        questions.append(
            {"image_id": image_id, "question": row["question"], "question_id": question_id}
        )
        if not hidden:
            annotations.append(
                {
                    **{column: row[column] for column in answer_columns},
                    "answers": [dict(answer) for answer in row["answers"]],
                    "image_id": image_id,
                    "question_id": question_id,
                }
            )
        if image_id not in images:
            images.add(image_id)
            name = f"COCO_{folder}_{image_id:012d}.jpg"
            _write(root / "images" / "coco" / folder / name, row["image"])
    head = {"data_type": "mscoco", "data_subtype": folder}
    path = root / "vqa" / f"v2_OpenEnded_mscoco_{folder}_questions.json"
    _write_json(path, {**head, "questions": questions})
    counts = {"samples": len(questions), "images": len(images)}
    if hidden:
        return {"test-dev": counts, "test": counts}
    path = root / "vqa" / f"v2_mscoco_{folder}_annotations.json"
    _write_json(path, {**head, "annotations": annotations})
    return {"val": {**counts, "answers": sum(len(entry["answers"]) for entry in annotations)}}


def write_coco_captions(rows: HubRows, root: Path) -> SplitCounts:
    """Write `dataset_coco.json`; the copy holds no images."""
    images = [
        {
            "filepath": row["filename"].split("_")[1],  # COCO_val2014_000000391895.jpg
            "filename": row["filename"],
            "cocoid": int(row["cocoid"]),
            "imgid": int(row["imgid"]),
            "split": SPLIT_NAMES.get(hub_split, hub_split),
            "sentences": _sentences(row["sentences"]),
        }
        for hub_split in rows.splits
        for row in rows.read(hub_split, ("filename", "cocoid", "imgid", "sentences"))
    ]
    _write_json(root / "coco" / "dataset_coco.json", {"dataset": "coco", "images": images})
    return _caption_counts(images)


def write_flickr30k(rows: HubRows, root: Path) -> SplitCounts:
    """Write `dataset_flickr30k.json` and the images of test and val.

    One split of the hub holds all 31,014 images; its column `split` tells Karpathy's splits apart.
    """
    images: list[dict[str, Any]] = []
    for row in rows.read(rows.splits[0], ("image", "caption", "filename", "split")):
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
            _write(root / "images" / "flickr30k-images" / name, row["image"])
    path = root / "flickr30k" / "dataset_flickr30k.json"
    _write_json(path, {"dataset": "flickr30k", "images": images})
    return _caption_counts(images)


def write_refcoco(rows: HubRows, root: Path) -> SplitCounts:
    """Write `refs(unc).p`, `instances.json` and the images.

    A row is a reference; its column `answer` lists all expressions for it.
    """
    refs: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    images: dict[int, dict[str, Any]] = {}
    sent_id = 0
    for split in rows.splits:
        for row in rows.read(split, ("image", "answer", "bbox", "file_name")):
            image_id = _coco_id(row["file_name"])
            name = f"COCO_train2014_{image_id:012d}.jpg"
            if image_id not in images:
                images[image_id] = {"id": image_id, "file_name": name, **_size(row["image"], name)}
                _write(root / "images" / "coco" / "train2014" / name, row["image"])
            sentences = [
                {"sent_id": sent_id + index, "sent": text, "raw": text}
                for index, text in enumerate(row["answer"])
            ]
            sent_id += len(sentences)
            number = len(refs)
            # The copy holds float32 boxes. Their shortest decimals are the original numbers, which
            # have two digits after the point.
            box = [float(str(np.float32(value))) for value in row["bbox"]]
            annotations.append({"id": number, "image_id": image_id, "bbox": box, "iscrowd": 0})
            refs.append(
                {
                    "ref_id": number,
                    "ann_id": number,
                    "image_id": image_id,
                    "split": split,
                    "sentences": sentences,
                }
            )
    instances = {"images": list(images.values()), "annotations": annotations}
    _write_json(root / "refcoco+" / "instances.json", instances)
    _write(root / "refcoco+" / "refs(unc).p", pickle.dumps(refs, protocol=2))
    return {
        split: _reference_counts([ref for ref in refs if ref["split"] == split])
        for split in rows.splits
    }


def _sentences(captions: str | Iterable[str]) -> list[dict[str, str]]:
    """Return captions as the official files list them; a column may hold one text, or several."""
    captions = [captions] if isinstance(captions, str) else list(captions)
    if not captions or not all(isinstance(caption, str) for caption in captions):
        raise DataError("a row of the copy has captions that are not texts")
    return [{"raw": caption} for caption in captions]


def _caption_counts(images: Sequence[Mapping[str, Any]]) -> SplitCounts:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"samples": 0, "captions": 0})
    for image in images:
        counts[image["split"]]["samples"] += 1
        counts[image["split"]]["captions"] += len(image["sentences"])
    return dict(counts)


def _reference_counts(refs: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    return {
        "samples": sum(len(ref["sentences"]) for ref in refs),
        "images": len({ref["image_id"] for ref in refs}),
        "references": len(refs),
    }


def _coco_id(file_name: Any) -> int:
    """Return COCO's number of an image. As in `refs(unc).p`, the name ends in a reference's."""
    match = COCO_NAME.match(str(file_name))
    if match is None:
        raise DataError(
            f"a row of the copy names the image {file_name!r}; the name should begin with "
            "COCO_train2014_ and twelve digits"
        )
    return int(match[1])


def _size(content: bytes, name: str) -> dict[str, int]:
    try:
        with Image.open(BytesIO(content)) as image:
            return {"width": image.width, "height": image.height}
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise DataError(f"the image {name} of the copy cannot be read ({error})") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_json(path: Path, content: Any) -> None:
    _write(path, (json.dumps(content, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))
