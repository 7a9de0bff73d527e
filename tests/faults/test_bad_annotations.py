"""Faulty annotations of every benchmark: each is refused, with its file, item and value named."""

import json
import shutil

import pytest

from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from harness.task import load_samples

QUESTIONS = "vqa/v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "vqa/v2_mscoco_val2014_annotations.json"


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    shutil.copytree(embedded_data().root, root, ignore=shutil.ignore_patterns("*.jpg", "*.png"))
    return DataFolder(root, "files")


def change(path, *keys, **changes):
    """Edit the object at `keys` of a JSON file; `...` deletes."""
    content = item = json.loads(path.read_text())
    for key in keys:
        item = item[key]
    for key, value in changes.items():
        if value is ...:
            del item[key]
        else:
            item[key] = value
    path.write_text(json.dumps(content))


def line(path, number, text):
    lines = path.read_text().splitlines()
    lines[number] = text
    path.write_text("\n".join(lines))


BROKEN = {
    "a question twice": (
        "vqav2",
        "val",
        lambda d: change(d / QUESTIONS, "questions", 1, question_id=100000000),
        ["questions[1]: question_id 100000000 occurs twice"],
    ),
    "a question without words": (
        "vqav2",
        "val",
        lambda d: change(d / QUESTIONS, "questions", 0, question=3),
        ["questions[0].question should be a string, but is 3"],
    ),
    "a question without annotation": (
        "vqav2",
        "val",
        lambda d: change(d / QUESTIONS, "questions", 0, question_id=5),
        ["is not in", "questions.json"],
    ),
    "an annotation of another image": (
        "vqav2",
        "val",
        lambda d: change(d / ANNOTATIONS, "annotations", 2, image_id=7),
        ["annotations[2]", "has image 7 here, but image 10"],
    ),
    "answers that are none": (
        "vqav2",
        "val",
        lambda d: change(d / ANNOTATIONS, "annotations", 0, answers=[]),
        ["annotations[0].answers is an empty list"],
    ),
    "an answer without text": (
        "vqav2",
        "val",
        lambda d: change(d / ANNOTATIONS, "annotations", 0, answers=[{"answer_id": 1}]),
        ["annotations[0].answers[0] has no string 'answer'"],
    ),
    "no annotations": (
        "vqav2",
        "val",
        lambda d: (d / ANNOTATIONS).unlink(),
        ["v2_mscoco_val2014_annotations.json", "get it from"],
    ),
    "an answer list with an answer twice": (
        "vqav2",
        "val",
        lambda d: (d / "vqa/answer_list.json").write_text('["yes", "yes"]'),
        ["answer_list.json", "twice"],
    ),
    "an answer list of numbers": (
        "vqav2",
        "val",
        lambda d: (d / "vqa/answer_list.json").write_text("[1, 2]"),
        ["answer_list.json, item 0: should be a string, but is 1"],
    ),
    "a label that is not a truth": (
        "nlvr2",
        "dev",
        lambda d: line(
            d / "nlvr2/dev.json",
            3,
            '{"identifier": "dev-0-3-0", "sentence": "a", "label": "maybe"}',
        ),
        ["line 4", "'maybe'"],
    ),
    "a line that is not JSON": (
        "nlvr2",
        "dev",
        lambda d: line(d / "nlvr2/dev.json", 5, "{"),
        ["line 6", "not JSON"],
    ),
    "an identifier twice": (
        "nlvr2",
        "dev",
        lambda d: line(d / "nlvr2/dev.json", 1, (d / "nlvr2/dev.json").read_text().splitlines()[0]),
        ["line 2", "occurs twice"],
    ),
    "an identifier that leaves the folder": (
        "nlvr2",
        "dev",
        lambda d: line(
            d / "nlvr2/dev.json",
            0,
            '{"identifier": "../../etc-0-0", "sentence": "a", "label": "True"}',
        ),
        ["line 1", "dev-850-0-0"],
    ),
    "an empty file": (
        "nlvr2",
        "dev",
        lambda d: (d / "nlvr2/dev.json").write_text(""),
        ["dev.json", "empty"],
    ),
    "captions that are none": (
        "coco-caption",
        "test",
        lambda d: change(d / "coco/dataset_coco.json", "images", 0, sentences=[]),
        ["images[0].sentences is an empty list"],
    ),
    "an image twice": (
        "coco-retrieval",
        "test",
        lambda d: change(
            d / "coco/dataset_coco.json", "images", 1, filename="COCO_val2014_000000100000.jpg"
        ),
        ["occurs twice"],
    ),
    "two images with one number": (
        "coco-caption",
        "test",
        lambda d: change(
            d / "coco/dataset_coco.json", "images", 0, filename="a.jpg", cocoid=100001
        ),
        ["the id 100001", "val2014/a.jpg and", "val2014/COCO_val2014_000000100001.jpg"],
    ),
    "an image of OVAD twice": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "images", 1, id=300000),
        ["images[1]: the id 300000 occurs twice"],
    ),
    "an image that leaves the folder": (
        "flickr30k-retrieval",
        "test",
        lambda d: change(d / "flickr30k/dataset_flickr30k.json", "images", 0, filename=".."),
        ["outside of"],
    ),
    "a split without images": (
        "coco-retrieval",
        "test",
        lambda d: (d / "coco/dataset_coco.json").write_text(
            '{"images": [{"split": "train", "filename": "a1.jpg", "sentences": [{"raw": "a"}]}]}'
        ),
        ["no image of the split test"],
    ),
    "labels of another number": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "annotations", 4, att_vec=[1, 0]),
        ["annotation 5", "20 numbers"],
    ),
    "a label that is none": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "annotations", 0, att_vec=[2] * 20),
        ["annotation 1", "1, 0 or -1"],
    ),
    "a box without image": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "annotations", 0, image_id=3),
        ["annotation 1", "image 3"],
    ),
    "a box thinner than a pixel": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "annotations", 0, bbox=[1, 1, 0.5, 300]),
        ["annotation 1", "empty box"],
    ),
    "attributes out of order": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "attributes", 0, id=7),
        ["ovad2000.json", "count from 0"],
    ),
    "an attribute with two colons": (
        "ovad",
        "box",
        lambda d: change(d / "ovad/ovad2000.json", "attributes", 1, name="a:b:c"),
        ["attributes[1].name", "'a:b:c'"],
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_annotations_are_refused_by_file_and_item(data, broken):
    task, split, damage, expected = BROKEN[broken]
    load_samples(find_task(task), data, split)
    damage(data.root)
    with pytest.raises(DataError) as caught:
        load_samples(find_task(task), data, split)
    for words in expected:
        assert words in str(caught.value)
