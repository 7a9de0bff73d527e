"""Answers and captions of a model: an index of the list each, and a caption for each image."""

import numpy as np
import pytest

from harness.errors import ModelError
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from harness.task import Batch


class Answers:
    """A model that answers with given indices."""

    protocol, device, provenance = "given", "cpu", {}

    def __init__(self, *indices):
        self.indices = indices

    def prepare(self, image):
        raise NotImplementedError

    def answer(self, images, questions, image_of, *, answers, shortlist):
        return self.indices


def predict(*indices):
    task = find_task("vqav2")
    samples = task.load(embedded_data(), "val")[: len(indices)]
    batch = Batch(samples, None, np.zeros((len(indices), 1), dtype=np.int64))
    return task.predict(Answers(*indices), batch), samples[0].choices


def test_an_index_is_the_choice_at_its_position():
    answers, choices = predict(0, np.int64(2))
    assert answers == [choices[0], choices[2]]


@pytest.mark.parametrize("index", [-1, 10**6])
def test_an_index_without_a_choice_is_refused(index):
    """-1 of a list is its last answer, in Python."""
    with pytest.raises(ModelError, match=f"vqav2: the model answers with the index {index}, but"):
        predict(0, index)


@pytest.mark.parametrize("captions", [["a"], ["a", "b", "c"]])
def test_captions_that_are_not_one_for_each_image_are_refused(captions):
    class Captions(Answers):
        def caption(self, images):
            return captions

    samples = find_task("coco-caption").load(embedded_data(), "val")[:2]
    batch = Batch(samples, None, np.array([[0], [1]]))
    with pytest.raises(
        ModelError, match=f"coco-caption: the model returns {len(captions)} captions"
    ):
        find_task("coco-caption").predict(Captions(), batch)
