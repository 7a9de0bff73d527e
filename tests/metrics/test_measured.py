"""The official metrics on predictions of one's own: the numbers of the tasks, with intervals."""

import numpy as np
import pytest

from harness import metrics, read_results
from harness.api.benchmarks import load_task
from harness.files.paths import shipped_path
from harness.metrics import (
    attribute_map,
    grounding_accuracy,
    in_pixels,
    nlvr2_accuracy,
    vqa_accuracy,
)

PUBLIC = [
    "Box",
    "BoxAttributes",
    "Metric",
    "attribute_map",
    "caption_scores",
    "detected_attribute_map",
    "grounding_accuracy",
    "in_fractions",
    "in_pixels",
    "iou",
    "nlvr2_accuracy",
    "retrieval_recalls",
    "vqa_accuracy",
]


@pytest.fixture(scope="module")
def baseline():
    return read_results(shipped_path("results"))


def stored(baseline, task, split):
    """Return the samples of a baseline, its predictions, metrics and intervals."""
    (result,) = baseline.filter(task=task, split=split)
    samples = load_task(task).samples(split)
    predictions = [result.predictions[sample.id] for sample in samples]
    return samples, predictions, result


def test_the_public_names_are_a_closed_list_and_each_is_documented():
    assert metrics.__all__ == PUBLIC
    assert all(getattr(metrics, name).__doc__ for name in PUBLIC)
    with pytest.raises(AttributeError, match="'accuracy'"):
        _ = metrics.accuracy


def test_answers_score_as_in_the_record(baseline):
    samples, predictions, result = stored(baseline, "vqav2", "val")
    metric = vqa_accuracy(
        predictions,
        [[str(answer["answer"]) for answer in sample.answers] for sample in samples],
        images=[sample.images[0] for sample in samples],
    )
    assert metric.value == pytest.approx(result.metrics["accuracy"])
    assert metric.interval == pytest.approx(result.intervals["accuracy"])


def test_boxes_score_as_in_the_record(baseline):
    samples, predictions, result = stored(baseline, "refcoco+", "val")
    boxes = [
        in_pixels(box, width=sample.width, height=sample.height)
        for sample, box in zip(samples, predictions, strict=True)
    ]
    images = [sample.images[0] for sample in samples]
    metric = grounding_accuracy(boxes, [sample.box for sample in samples], images=images)
    assert metric.value == pytest.approx(result.metrics["accuracy"])
    assert metric.interval == pytest.approx(result.intervals["accuracy"])


def test_verdicts_score_as_in_the_record(baseline):
    samples, predictions, result = stored(baseline, "nlvr2", "test")
    found = nlvr2_accuracy(
        [p["answer"] if isinstance(p, dict) else p for p in predictions],
        [sample.label for sample in samples],
        groups=[sample.group for sample in samples],
        images=[sample.image_set for sample in samples],
    )
    values = {name: metric.value for name, metric in found.items()}
    assert values == pytest.approx(dict(result.metrics))
    assert found["accuracy"].interval == pytest.approx(result.intervals["accuracy"])


def test_attributes_score_as_in_the_record(baseline):
    samples, predictions, result = stored(baseline, "ovad", "box")
    found = attribute_map(
        np.array(predictions),
        [sample.labels for sample in samples],
        images=[sample.images[0].path for sample in samples],
        frequencies=[attribute.freq_set for attribute in samples[0].prompts.attributes],
    )
    expected = {name: value for name, value in result.metrics.items() if name.startswith("map")}
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(expected)
    assert found["map"].interval == pytest.approx(result.intervals["map"])


def test_ties_rank_the_later_candidate_first():
    found = metrics.retrieval_recalls([[0.5, 0.5], [0.1, 0.2]])
    assert (found["i2t_r1"].value, found["t2i_r1"].value) == (50.0, 50.0)
    assert str(found["i2t_r1"]) == "50.00 (5.46 to 94.54)"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: vqa_accuracy([], []), "no sample to score"),
        (lambda: vqa_accuracy(["a"], []), "different lengths"),
        (lambda: nlvr2_accuracy([True], [True], groups=["a", "b"]), "different lengths"),
        (lambda: grounding_accuracy([], []), "no sample to score"),
        (lambda: metrics.retrieval_recalls([[1, 2, 3]]), "need scores of the shapes"),
        (lambda: metrics.retrieval_recalls([[float("nan")]]), "not a number"),
        (lambda: attribute_map([[0.5]], [[1, 0]]), "should be"),
        (lambda: metrics.caption_scores(["a"], []), "1 captions for 0 images"),
    ],
)
def test_what_cannot_be_scored_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_single_text_is_no_list_of_answers_or_references():
    with pytest.raises(ValueError, match=r"answers\[1\] should be a list .* is 'blue'"):
        vqa_accuracy(["red", "blue"], [["red"] * 10, "blue"])
    with pytest.raises(ValueError, match=r"references\[0\] should be a list .* is 'a cup'"):
        metrics.caption_scores(["a cup"], ["a cup"])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: vqa_accuracy(["a", 2], [["2"] * 10] * 2), r"predictions\[1\] .* a text, but is 2"),
        (lambda: vqa_accuracy(["2"], [[2] * 10]), r"answers\[0\]\[0\] .* a text, but is 2"),
        (lambda: vqa_accuracy(["2"], [None]), r"answers\[0\] .* a list of at least one"),
        (
            lambda: grounding_accuracy([(0, 0, 1)], [(0, 0, 1, 1)]),
            r"predicted\[0\] .* four numbers",
        ),
        (lambda: grounding_accuracy([(0, 0, 1, 1)], [None]), r"true\[0\] should be four numbers"),
        (lambda: metrics.caption_scores([1], [["a"]]), r"captions\[0\] should be a text"),
        (lambda: metrics.caption_scores(["a"], [[1]]), r"references\[0\]\[0\] should be a text"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_question_with_one_answer_which_the_official_scorer_never_counts_is_refused():
    with pytest.raises(ValueError, match=r"answers\[1\] is a single answer"):
        vqa_accuracy(["red", "red"], [["red"] * 10, ["red"]])


@pytest.mark.parametrize("captions", [[0, 2], [-1, 3], [1.5, 0.5], ["1", "1"]])
def test_an_image_without_a_text_is_not_counted_as_found(captions):
    with pytest.raises(ValueError, match=r"captions\[0\] should be a whole number from 1 up"):
        metrics.retrieval_recalls([[1, 2], [2, 3]], captions=captions)


def test_a_whole_number_may_be_a_float_as_in_a_column_of_pandas():
    scores = metrics.retrieval_recalls([[3, 2, 1], [1, 2, 3]], captions=np.array([1.0, 2.0]))
    assert scores["i2t_r1"].value == 100.0


@pytest.mark.parametrize("threshold", [0, 50, float("nan")])
def test_a_threshold_is_an_iou_and_no_percentage(threshold):
    with pytest.raises(ValueError, match="threshold should be an IoU above 0 and up to 1"):
        grounding_accuracy([(0, 0, 5, 5)], [(0, 0, 5, 5)], threshold=threshold)


def test_labels_without_a_yes_are_no_empty_score():
    with pytest.raises(ValueError, match="no attribute to score"):
        attribute_map([[0.9], [0.2]], [[0], [-1]])


def test_a_question_without_an_answer_is_refused():
    with pytest.raises(ValueError, match=r"answers\[0\] .* is \[\]"):
        vqa_accuracy(["red"], [[]])


@pytest.mark.parametrize("value", ["False", None, 2, float("nan")])
def test_a_verdict_is_true_or_false_and_nothing_that_only_counts_as_true(value):
    with pytest.raises(ValueError, match=r"predictions\[1\] should be true or false"):
        nlvr2_accuracy([True, value], [True, False])
    with pytest.raises(ValueError, match=r"truths\[0\] should be true or false"):
        nlvr2_accuracy([True], [value])
    numbers = np.array([1, 0, 1]), np.array([True, True, True])
    assert nlvr2_accuracy(*numbers)["accuracy"].value == pytest.approx(200 / 3)


@pytest.mark.parametrize("label", [2, 0.5, -2])
def test_a_label_is_yes_no_or_unknown(label):
    with pytest.raises(ValueError, match="labels should be 1, 0 or -1"):
        attribute_map([[0.9], [0.2]], [[1], [label]])


@pytest.mark.parametrize("frequencies", [["head"], ["head", "tail", "tail"], ["head", "rare"]])
def test_every_attribute_has_one_of_the_three_frequencies(frequencies):
    with pytest.raises(ValueError, match="frequencies should name one of head, medium, tail"):
        attribute_map([[0.9, 0.8], [0.2, 0.1]], [[1, 0], [0, 1]], frequencies=frequencies)
