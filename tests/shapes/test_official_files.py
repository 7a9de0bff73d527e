"""The embedded benchmark in the official files of all seven benchmarks: read by the real loaders, true of its scenes."""

import json
from collections import Counter

import pytest
from PIL import Image

from harness.formats.prompts import sentences
from harness.images import Region
from harness.models.xvlm.preprocessing import pre_caption, pre_question
from harness.registry import find_task, task_names
from harness.shapes.benchmark import embedded_data
from harness.shapes.training.vocabulary import vocabulary
from harness.shapes.world.attributes import attributes, labels
from harness.shapes.world.questions import ANSWERS, questions
from harness.shapes.world.scenes import Dice, evaluation_scene
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

FEWEST = {  # samples of each split: enough that a point is visible
    "vqav2": {"val": 500, "test-dev": 90, "test": 90},
    "nlvr2": {"dev": 150, "test": 300},
    "coco-caption": {"test": 100, "val": 40},
    "coco-retrieval": {"test": 100, "val": 40},
    "flickr30k-retrieval": {"test": 100, "val": 40},
    "refcoco+": {"val": 500, "testA": 500, "testB": 500},
    "ovad": {"box": 500},
}
SEEDS = [str(number) for number in range(200)]


@pytest.fixture(scope="module")
def data():
    return embedded_data()


@pytest.mark.parametrize("name", task_names())
def test_every_task_reads_its_files_and_finds_every_image(data, name):
    task = find_task(name)
    for split in task.splits:
        samples = task.load(data, split)
        assert len(samples) >= FEWEST[name][split]
        assert len({sample.id for sample in samples}) == len(samples)
        for view in {view for sample in samples for view in sample.images}:
            path = view.path if isinstance(view, Region) else view
            with Image.open(path) as image:
                assert min(image.size) > 90


def test_a_gallery_has_five_captions_an_image(data):
    for name in ("coco-retrieval", "flickr30k-retrieval"):
        assert {len(sample.captions) for sample in find_task(name).load(data, "test")} == {5}


def test_ten_people_answer_every_question_and_mostly_agree(data):
    for question in find_task("vqav2").load(data, "val"):
        assert len(question.answers) == 10
        assert Counter(answer["answer"] for answer in question.answers).most_common(1)[0][1] >= 5
        assert {answer["answer"] for answer in question.answers} <= set(question.choices)
    assert find_task("vqav2").load(data, "test")[0].answers == ()


def test_half_of_the_statements_are_true_and_every_set_has_both(data):
    statements = find_task("nlvr2").load(data, "test")
    assert sum(one.label for one in statements) == len(statements) / 2
    for group in {one.group for one in statements}:
        assert {one.label for one in statements if one.group == group} == {True, False}


def test_boxes_have_twenty_attributes_some_of_them_unknown(data):
    boxes = find_task("ovad").load(data, "box")
    assert {len(box.labels) for box in boxes} == {20}
    assert set().union(*(box.labels for box in boxes)) == {1, 0, -1}
    assert all(sum(label == 1 for label in box.labels) in (3, 4) for box in boxes)


def test_labels_are_true_of_the_object():
    names = [attribute.name for attribute in attributes()]
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        for thing in scene.objects:
            found = dict(zip(names, labels(scene, thing), strict=True))
            assert found[f"color:{thing.colour}"] == 1
            assert (
                sum(value == 1 for name, value in found.items() if name.startswith("color:")) == 1
            )


def test_the_right_answer_is_among_those_to_choose_from():
    for seed in SEEDS:
        for question in questions(evaluation_scene(seed), seed=seed):
            assert question.answer in ANSWERS


def test_a_question_about_one_object_fits_one_object():
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        for question in questions(scene, seed=seed):
            if question.text.startswith("What shape is the"):
                colour = question.text.split()[4]
                assert [thing.shape for thing in scene.objects if thing.colour == colour] == [
                    question.answer
                ]


def test_everything_that_is_said_is_in_the_vocabulary():
    known, dice = set(vocabulary()), Dice("words")
    said = [statement(dice).text for _ in range(300)]
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        said += captions(scene, seed=seed)
        assert {
            word
            for question in questions(scene, seed=seed)
            for word in pre_question(question.text).split()
        } <= known
    assert {word for text in said for word in pre_caption(text).split()} <= known
    assert {
        w for a in attributes() for text in sentences(a.name, a.is_has_att) for w in text.split()
    } <= known
    assert set(ANSWERS) <= known


def test_the_hidden_answers_are_not_written(data):
    assert "annotations" not in json.loads(
        (data.root / "vqa" / "v2_OpenEnded_mscoco_test2015_questions.json").read_text()
    )
    assert not list(data.root.glob("vqa/*test2015_annotations*"))
