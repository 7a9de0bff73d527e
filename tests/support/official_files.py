"""The smallest valid files of every benchmark: as published, and as X-VLM's flat lists."""

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support import refcoco_files

CAPTIONS = [{"raw": "a red cup"}, {"raw": "one cup"}]
COCO = {
    "images": [
        {
            "filepath": "val2014",
            "filename": f"COCO_val2014_{n:012d}.jpg",
            "split": "test",
            "cocoid": n,
            "sentences": CAPTIONS,
        }
        for n in (1, 2)
    ]
}
FLICKR = {
    "images": [
        {"filename": f"{n}.jpg", "split": "test", "sentences": [{"raw": "a man"}]} for n in (1, 2)
    ]
}
QUESTIONS = {
    "questions": [{"question_id": n, "image_id": 1, "question": "what is it?"} for n in (10, 11)]
}
ANSWERS = [{"answer": "cup", "answer_confidence": "yes", "answer_id": id} for id in (1, 2)]
ANNOTATIONS = {
    "annotations": [
        {
            "question_id": n,
            "image_id": 1,
            "answer_type": "other",
            "question_type": "what",
            "answers": ANSWERS,
        }
        for n in (10, 11)
    ]
}
STATEMENTS = [
    {"identifier": f"dev-0-{n}-0", "sentence": "two cups", "label": "True"} for n in (0, 1)
]
OVAD = {
    "attributes": [
        {"id": 0, "name": "color:red", "is_has_att": "is", "freq_set": "head"},
        {"id": 1, "name": "size:big/tall", "is_has_att": "has", "freq_set": "tail"},
    ],
    "images": [{"id": 1, "file_name": "1.jpg"}],
    "annotations": [
        {"id": n, "image_id": 1, "area": 400.0, "bbox": [1.5, 2.0, 20.0, 20.0], "att_vec": [1, -1]}
        for n in (1, 2)
    ],
}


def lines(entries: Any) -> bytes:
    return "\n".join(map(json.dumps, entries if isinstance(entries, list) else [entries])).encode()


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


def as_yaml(content: Any) -> bytes:
    return yaml.safe_dump(content).encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class File:
    """A file of a benchmark: its task and split, its path, its content, and its format."""

    task: str
    split: str
    path: str
    content: Any
    written: Callable[[Any], bytes] = as_json


FILES: Mapping[str, File] = {
    "coco, captions": File("coco-caption", "test", "coco/dataset_coco.json", COCO),
    "coco, retrieval": File("coco-retrieval", "test", "coco/dataset_coco.json", COCO),
    "flickr30k": File("flickr30k-retrieval", "test", "flickr30k/dataset_flickr30k.json", FLICKR),
    "captions, flat": File(
        "coco-retrieval",
        "test",
        "coco_test.json",
        [{"image": "val2014/1.jpg", "caption": ["a cup", "b"]}],
    ),
    "questions": File("vqav2", "val", "vqa/v2_OpenEnded_mscoco_val2014_questions.json", QUESTIONS),
    "annotations of questions": File(
        "vqav2", "val", "vqa/v2_mscoco_val2014_annotations.json", ANNOTATIONS
    ),
    "hidden questions": File(
        "vqav2", "test", "vqa/v2_OpenEnded_mscoco_test2015_questions.json", QUESTIONS
    ),
    "answers to choose from": File(
        "vqav2", "val", "vqa/answer_list.json", ["cup", "red", "two cups"]
    ),
    "questions, flat": File(
        "vqav2",
        "test",
        "vqa_test.json",
        [{"question_id": 1, "question": "is it?", "image": "test2015/1.jpg"}],
    ),
    "statements": File("nlvr2", "dev", "nlvr2/dev.json", STATEMENTS, lines),
    "statements, flat": File(
        "nlvr2",
        "dev",
        "nlvr_dev.json",
        [
            {
                "sentence": "two",
                "label": "False",
                "images": ["dev/dev-0-0-img0.png", "dev/dev-0-0-img1.png"],
            }
        ],
    ),
    "attributes": File("ovad", "box", "ovad/ovad2000.json", OVAD),
    "references": File(
        "refcoco+", "val", "refcoco+/refs(unc).p", refcoco_files.refs(), pickle.dumps
    ),
    "boxes of references": File(
        "refcoco+", "val", "refcoco+/instances.json", refcoco_files.instances()
    ),
    "detections": File("refcoco+-weak", "val", "refcoco+/dets.json", refcoco_files.detections()),
    "expressions, flat": File(
        "refcoco+",
        "val",
        "refcoco+_val.json",
        [{"image": "train2014/one.jpg", "text": "red cup", "ref_id": 0}],
    ),
}
# Flat list -> the official file, which is read instead if both exist.
FLAT_INSTEAD = {
    "coco_test.json": "coco/dataset_coco.json",
    "vqa_test.json": "vqa/v2_OpenEnded_mscoco_test2015_questions.json",
    "nlvr_dev.json": "nlvr2/dev.json",
}
IMAGE_FOLDERS = (
    "coco/train2014",
    "coco/val2014",
    "coco/test2015",
    "coco/val2017",
    "flickr30k-images",
    "nlvr2",
)
