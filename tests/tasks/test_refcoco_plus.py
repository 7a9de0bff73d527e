"""RefCOCO+ read from tiny files whose every number can be checked by hand."""

import json
import math

import numpy as np
import pytest

from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.task import Batch
from tasks.refcoco_plus import RefCOCOPlus
from tests.support import refcoco_files

TASK = RefCOCOPlus()


@pytest.fixture
def data(tmp_path):
    return DataFolder(refcoco_files.write(tmp_path), "files")


def texts(samples):
    return [(sample.id, sample.text) for sample in samples]


def test_every_sentence_of_a_reference_is_a_sample(data):
    samples = TASK.load(data, "val")
    assert texts(samples) == [(100, "red cup"), (101, "the cup"), (102, "blue plate")]
    assert samples[0].box == (10, 20, 30, 40)
    assert (samples[0].width, samples[0].height) == (100, 80)
    assert samples[0].images == (data.root / "images/coco/train2014/one.jpg",)


def test_a_split_holds_its_own_references_only(data):
    assert texts(TASK.load(data, "testA")) == [(103, "man"), (104, "tall man")]


def test_an_empty_split_is_an_error(data):
    with pytest.raises(DataError, match="no expression of the split testB"):
        TASK.load(data, "testB")


def test_the_flat_list_decides_order_and_text_where_there_is_one(data):
    entries = [(1, "blue plate"), (0, "the cup"), (0, "a red cup"), (2, "man")]
    flat = [
        {"image": "train2014/one.jpg", "text": text, "ref_id": ref_id} for ref_id, text in entries
    ]
    (data.root / "refcoco+_val.json").write_text(json.dumps(flat))
    assert texts(TASK.load(data, "val")) == [
        (102, "blue plate"),
        (101, "the cup"),
        (100, "a red cup"),
    ]


def test_the_flat_test_list_is_cut_into_testA_and_testB_by_reference(data):
    (data.root / "finetune").mkdir()
    flat = [
        {"image": "train2014/two.jpg", "text": "tall man", "ref_id": 2},
        {"image": "x", "text": "red cup", "ref_id": 0},
    ]
    (data.root / "finetune" / "refcoco+_test.json").write_text(json.dumps(flat))
    assert texts(TASK.load(data, "testA")) == [(104, "tall man")]


def test_accuracy_counts_expressions_and_not_references(data):
    samples = TASK.load(data, "val")
    right = [0.25, 0.5, 0.3, 0.5]  # (10, 20, 30, 40) in 100 x 80
    predictions = {100: right, 101: right, 102: [0.9, 0.9, 0.1, 0.1]}
    assert TASK.score(samples, predictions).metrics["accuracy"] == pytest.approx(100 * 2 / 3)


def test_the_interval_of_one_image_that_is_all_right_is_that_of_one_trial(data):
    """Wilson's for 1 of 1: the expressions of an image say little more than one of them."""
    samples = TASK.load(data, "testA")
    right = [70 / 90, 20 / 120, 20 / 90, 20 / 120]
    scores = TASK.score(samples, dict.fromkeys((103, 104), right))
    assert scores.metrics["accuracy"] == 100.0
    low, high = scores.intervals["accuracy"]
    assert (round(low, 2), high) == (20.65, 100.0)


def test_the_interval_is_over_images_and_not_over_expressions(data):
    """All right on one image, all wrong on the other: two trials, not five."""
    samples = [*TASK.load(data, "val"), *TASK.load(data, "testA")]
    right = {
        100: [0.25, 0.5, 0.3, 0.5],
        101: [0.25, 0.5, 0.3, 0.5],
        102: [0.25, 0.3125, 0.5, 0.625],
    }
    scores = TASK.score(samples, right | {103: [0.9, 0.9, 0.01, 0.01], 104: [0.9, 0.9, 0.01, 0.01]})
    assert scores.metrics["accuracy"] == 60.0
    low, high = scores.intervals["accuracy"]
    assert low < 10 and high > 90  # of five independent ones: 23 to 88


@pytest.mark.parametrize(
    "box",
    [
        None,
        "box",
        [],
        [1, 2, 3],
        [1, 2, 3, "4"],
        [1, 2, 3, math.nan],
        [1, 2, 3, math.inf],
        [1, 2, 3, True],
    ],
)
def test_a_prediction_that_is_no_box_is_refused_by_the_id_of_its_expression(data, box):
    samples = TASK.load(data, "testA")
    with pytest.raises(DataError, match="sent_id 104 should be a box of four numbers"):
        TASK.score(samples, {103: [0.5, 0.5, 0.1, 0.1], 104: box})


def test_the_model_is_asked_once_with_the_texts_byte_for_byte(data):
    asked = []

    class Grounder:
        def ground(self, images, expressions, image_of):
            asked.append((list(expressions), image_of.tolist()))
            return np.zeros((len(expressions), 4), np.float32)

    samples = TASK.load(data, "val")
    batch = Batch(samples, np.zeros((1, 2, 2, 3), np.uint8), np.zeros((3, 1), np.int64))
    assert TASK.predict(Grounder(), batch) == [[0.0] * 4] * 3
    assert asked == [(["red cup", "the cup", "blue plate"], [0, 0, 0])]
