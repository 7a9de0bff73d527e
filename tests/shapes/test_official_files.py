"""The embedded benchmark in official files: read by the tasks' loaders, true of its scenes."""

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
from harness.shapes.world.scenes import Rng, evaluation_scene
from harness.shapes.world.sentences import captions
from harness.shapes.world.statements import statement

# Minimum number of samples per split: enough to see a difference of one percent.
FEWEST = {
    "vqav2": {"val": 500, "test-dev": 90, "test": 90},
    "nlvr2": {"dev": 150, "test": 300},
    "coco-caption": {"test": 100, "val": 40},
    "coco-retrieval": {"test": 100, "val": 40},
    "flickr30k-retrieval": {"test": 100, "val": 40},
    "refcoco+": {"val": 500, "testA": 500, "testB": 500},
    "refcoco+-weak": {"val": 500, "testA": 500, "testB": 500},
    "ovad": {"box": 500},
    "refcoco": {"val": 500, "testA": 500, "testB": 500},
    "refcocog": {"val": 500, "test": 500, "val-google": 500},
    "flickr30k-retrieval-zero-shot": {"test": 100, "val": 40},
    # Extra tasks, to try: no baseline holds them.
    "vlue-retrieval": {"test": 49},
    "vlue-vqa": {"test": 200},
    "vlue-nlvr2": {"test": 90},
    "vlue-grounding": {"test": 400},
    "vlue-grounding-weak": {"test": 400},
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


@pytest.mark.parametrize("subtype", ["val2014", "test2015"])
def test_the_questions_have_all_that_the_official_evaluator_copies(data, subtype):
    """`VQA.loadRes` of VQA's own tools copies these keys of the questions into the results."""
    path = data.root / "vqa" / f"v2_OpenEnded_mscoco_{subtype}_questions.json"
    questions = json.loads(path.read_text())
    copied = {key: questions[key] for key in ("info", "task_type", "data_type", "license")}
    assert questions["data_subtype"] == subtype and all(copied.values())
    if subtype == "val2014":
        annotations = json.loads((path.parent / "v2_mscoco_val2014_annotations.json").read_text())
        assert (annotations["info"], annotations["license"]) == (copied["info"], copied["license"])


def test_half_of_the_statements_are_true_and_every_set_has_both(data):
    statements = find_task("nlvr2").load(data, "test")
    assert sum(sample.label for sample in statements) == len(statements) / 2
    for group in {sample.group for sample in statements}:
        labels = {sample.label for sample in statements if sample.group == group}
        assert labels == {True, False}


def test_boxes_have_twenty_attributes_some_of_them_unknown(data):
    boxes = find_task("ovad").load(data, "box")
    assert {len(box.labels) for box in boxes} == {20}
    assert set().union(*(box.labels for box in boxes)) == {1, 0, -1}
    assert all(sum(label == 1 for label in box.labels) in (3, 4) for box in boxes)


def test_labels_are_true_of_the_object():
    names = [attribute.name for attribute in attributes()]
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        for obj in scene.objects:
            label_of = dict(zip(names, labels(scene, obj), strict=True))
            colours = [name for name in names if name.startswith("color:") and label_of[name] == 1]
            assert colours == [f"color:{obj.colour}"]


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
                shapes = [obj.shape for obj in scene.objects if obj.colour == colour]
                assert shapes == [question.answer]


def test_every_word_of_every_text_is_in_the_vocabulary():
    rng = Rng("words")
    texts = [pre_caption(statement(rng).text) for _ in range(300)]
    for seed in SEEDS:
        scene = evaluation_scene(seed)
        texts += map(pre_caption, captions(scene, seed=seed))
        texts += [pre_question(question.text) for question in questions(scene, seed=seed)]
    for attribute in attributes():
        texts += sentences(attribute.name, attribute.is_has_att)
    words = {word for text in texts for word in text.split()}
    assert words | set(ANSWERS) <= set(vocabulary())


def test_the_hidden_answers_are_not_written(data):
    assert "annotations" not in json.loads(
        (data.root / "vqa" / "v2_OpenEnded_mscoco_test2015_questions.json").read_text()
    )
    assert not list(data.root.glob("vqa/*test2015_annotations*"))
