"""The original files and X-VLM's lists made of them hold the same samples, for every task."""

import json
import shutil
from dataclasses import fields

import pytest

from harness.cli.main import main
from harness.formats.folder import DataFolder
from harness.metrics.nlvr2 import consistency
from harness.registry import find_task, task_names
from harness.shapes.benchmark import embedded_data

ORIGINALS = {
    "vqa/v2_OpenEnded_mscoco_val2014_questions.json",
    "vqa/v2_mscoco_val2014_annotations.json",
    "vqa/v2_OpenEnded_mscoco_test2015_questions.json",
    "nlvr2/dev.json",
    "nlvr2/test1.json",
    "coco/dataset_coco.json",
    "flickr30k/dataset_flickr30k.json",
    "refcoco+/refs(unc).p",
    "refcoco+/instances.json",
    "ovad/ovad2000.json",
}
# X-VLM's own and VLUE's, from no original; and files of extra tasks, which have no lists.
GIVEN = {
    "vqa/answer_list.json", "refcoco+/dets.json", "refcoco/refs(unc).p", "refcoco/instances.json",
    "refcocog/refs(umd).p", "refcocog/refs(google).p", "refcocog/instances.json",
    "vlue/itr_vlue_test.json", "vlue/vqa_vlue_test.json", "vlue/nlvr2_vlue_test.json",
    "vlue/refcoco+_vlue_test.json", "vlue/refcoco+_bbox100_vlue_test.json",
}  # fmt: skip
LISTS = {
    "vqa_val.json", "vqa_test.json", "nlvr_dev.json", "nlvr_test.json", "coco_karpathy_val.json",
    "coco_karpathy_test.json", "coco_karpathy_val_gt.json", "coco_karpathy_test_gt.json",
    "coco_val.json", "coco_test.json", "flickr30k_val.json", "flickr30k_test.json",
    "refcoco+_val.json", "refcoco+_test.json",
}  # fmt: skip
NOT_IN_LISTS = {  # fields that the lists leave out
    "vqav2": ("answers", "answer_type", "question_type"),
    "nlvr2": ("id", "group"),
}
SPLITS = [(name, split) for name in task_names() for split in find_task(name).splits]


def folder(root, files):
    """A data folder with these files of the embedded benchmark and its images."""
    source = embedded_data().root
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, root / name)
    (root / "images").symlink_to(source / "images")
    return DataFolder(root, "files")


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("originals"), ORIGINALS | GIVEN)


@pytest.fixture(scope="module")
def lists(tmp_path_factory, originals):
    """X-VLM's lists, the originals that its code reads too, and OVAD's, which has no list."""
    root = tmp_path_factory.mktemp("lists")
    (root / "data" / "finetune").mkdir(parents=True)
    assert (
        main(
            ["data", "--data", str(originals.root), "--build-flat", str(root / "data" / "finetune")]
        )
        == 0
    )
    assert {path.name for path in (root / "data" / "finetune").rglob("*.json")} == LISTS
    return folder(
        root, GIVEN | {"refcoco+/refs(unc).p", "refcoco+/instances.json", "ovad/ovad2000.json"}
    )


def content(sample, root, without=()):
    names = [field.name for field in fields(sample) if field.name not in without]
    values = {name: getattr(sample, name) for name in names}
    return {**values, "images": [str(view).replace(str(root), "") for view in values["images"]]}


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_the_originals_are_enough(originals, name, split):
    task = find_task(name)
    assert originals.missing(task.files(split)) == []
    embedded = embedded_data()
    expected, samples = task.load(embedded, split), task.load(originals, split)
    assert [content(sample, originals.root) for sample in samples] == [
        content(sample, embedded.root) for sample in expected
    ]


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_the_lists_hold_the_same_samples(originals, lists, name, split):
    task = find_task(name)
    assert lists.missing(task.files(split)) == []
    expected, samples = task.load(originals, split), task.load(lists, split)
    without = NOT_IN_LISTS.get(name, ())
    assert [content(sample, lists.root, without) for sample in samples] == [
        content(sample, originals.root, without) for sample in expected
    ]


def test_the_answers_of_people_are_in_the_lists(originals, lists):
    task = find_task("vqav2")
    expected, samples = task.load(originals, "val"), task.load(lists, "val")
    assert [[answer["answer"] for answer in question.answers] for question in samples] == [
        [answer["answer"] for answer in question.answers] for question in expected
    ]
    predictions = {question.id: question.answers[0]["answer"] for question in expected}
    assert (
        task.score(samples, predictions).metrics["accuracy"]
        == task.score(expected, predictions).metrics["accuracy"]
    )
    assert all(question.answers == () for question in task.load(lists, "test"))


def test_statements_keep_their_groups(originals, lists):
    task = find_task("nlvr2")
    expected, samples = task.load(originals, "test"), task.load(lists, "test")
    judged = [number % 5 != 0 for number in range(len(expected))]
    assert consistency(judged, [sample.group for sample in samples]) == consistency(
        judged, [sample.group for sample in expected]
    )


def test_the_test_list_of_expressions_holds_testA_then_testB(originals, lists):
    task = find_task("refcoco+")
    path = lists.root / "data" / "finetune" / "refcoco+" / "refcoco+_test.json"
    expressions = [*task.load(originals, "testA"), *task.load(originals, "testB")]
    assert [(entry["text"], entry["ref_id"]) for entry in json.loads(path.read_text())] == [
        (expression.text, expression.ref_id) for expression in expressions
    ]


def test_lists_of_lists_are_the_same_bytes(lists, tmp_path):
    assert main(["data", "--data", str(lists.root), "--build-flat", str(tmp_path)]) == 0
    for path in (lists.root / "data" / "finetune").rglob("*.json"):
        assert (
            tmp_path / path.relative_to(lists.root / "data" / "finetune")
        ).read_bytes() == path.read_bytes()


def test_the_truths_of_captions_are_in_cocos_layout(lists):
    truths = json.loads(
        (lists.root / "data" / "finetune" / "coco_karpathy_test_gt.json").read_text()
    )
    assert (len(truths["images"]), len(truths["annotations"])) == (100, 500)
    assert {annotation["image_id"] for annotation in truths["annotations"]} == {
        image["id"] for image in truths["images"]
    }
    assert [annotation["id"] for annotation in truths["annotations"]] == list(range(500))


def test_lists_that_could_not_be_written_are_reported(tmp_path, capsys):
    data = folder(tmp_path / "data", {"nlvr2/dev.json"})
    assert (
        main(
            [
                "data",
                "--task",
                "nlvr2",
                "--data",
                str(data.root),
                "--build-flat",
                str(tmp_path / "out"),
            ]
        )
        == 3
    )
    shown = capsys.readouterr()
    assert "nlvr_dev.json: 160 entries" in shown.out
    assert "not written:\n  nlvr2 test: needs nlvr2/test1.json" in shown.err
