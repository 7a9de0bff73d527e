"""Arguments of a wrong type or value: an error of `harness.errors`, and nothing is written."""

import numpy as np
import pytest
from PIL import Image

from harness import compare, errors, evaluate, load_model, load_task, read_results, score
from harness.files.paths import shipped_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit should be a whole number from 1 up, not 0"),
        ({"limit": -1}, "limit should be a whole number"),
        ({"limit": True}, "limit should be a whole number"),
        ({"limit": 1.5}, "limit should be a whole number"),
        ({"batch_size": 0}, "batch_size should be a whole number"),
        ({"workers": -1}, "workers should be a whole number"),
        ({"name": "../x"}, "should be a name like my-model, not a path"),
        ({"name": ""}, "should be a name"),
        ({"name": 5}, "should be a name"),
        ({"images": "photos"}, "neither strict nor as-reference"),
        ({"split": []}, "no split of refcoco. is named"),
        ({"split": 5}, "split should be a name or several"),
    ],
)
def test_evaluate_refuses_a_wrong_argument_and_writes_nothing(
    grounder, arguments, message, tmp_path
):
    with pytest.raises(errors.UsageError, match=message):
        evaluate(grounder, "refcoco+", out=tmp_path / "out", **{"split": "val", **arguments})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("predictions", "name", "message"),
    [
        ({7: object()}, None, "should consist of texts, numbers"),
        ({7: {1, 2}}, None, "should consist of texts, numbers"),
        ({(7, 1): [0, 0, 1, 1]}, None, "an id of a sample is a whole number or a text"),
        ({True: [0, 0, 1, 1]}, None, "an id of a sample is a whole number or a text"),
        ({7: [0, 0, 1, 1]}, "a/b", "should be a name like my-model, not a path"),
    ],
)
def test_score_refuses_predictions_ids_and_names_that_no_file_can_hold(predictions, name, message):
    with pytest.raises(errors.UsageError, match=message):
        score("refcoco+", predictions, split="val", name=name)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.new("RGB", (0, 5)), "an image of 0 x 5 pixels"),
        (np.zeros((0, 4, 3), np.uint8), "an image of 4 x 0 pixels|is not an image"),
        (np.zeros((4, 4, 7), np.uint8), r"shape \[4, 4, 7\] is not an image"),
    ],
)
def test_a_picture_without_pixels_or_of_unknown_channels_is_refused(grounder, picture, message):
    with pytest.raises(errors.UsageError, match=message):
        grounder.ground(picture, "red")


def test_a_closed_picture_cannot_be_read(grounder):
    picture = Image.new("RGB", (5, 5))
    picture.close()
    with pytest.raises(errors.DataError, match="cannot be read"):
        grounder.ground(picture, "red")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_model(None), "checkpoint should be a name or a path"),
        (lambda: load_model("xvlm-shapes", task=5), "task should be the name of a task"),
        (lambda: load_model("xvlm-shapes", dtype="int8"), "dtype should be one of float32"),
        (lambda: load_task("refcoco+", data=5), "data should be a path"),
        (lambda: load_task("refcoco+").samples(), "name one of its splits: val, testA"),
        (lambda: read_results(), "needs a folder of results"),
        (lambda: read_results(["a"]), "a folder of results should be a path"),
        (lambda: compare([]), "results should be those of evaluate"),
        (lambda: compare(shipped_path("results"), level="x"), "level should be a number"),
    ],
)
def test_every_other_function_says_which_argument_is_wrong(call, message):
    with pytest.raises(errors.UsageError, match=message):
        call()


@pytest.mark.parametrize("arguments", ["beams", {"beams": True}, {"beams": None}, {1: "1"}])
def test_settings_of_a_family(arguments):
    with pytest.raises(errors.UsageError, match="arguments should be settings with a text or a"):
        load_model("xvlm-shapes", task="coco-caption", arguments=arguments)


@pytest.mark.parametrize("beams", [2, np.int64(2)])
def test_a_setting_may_be_a_number(beams):
    found = load_model("xvlm-shapes", task="coco-caption", arguments={"beams": beams})
    assert "|2 beams|" in found.protocol


def test_texts_answers_and_statements(grounder):
    image = Image.new("RGB", (5, 5))
    retriever = load_model("xvlm-shapes", task="coco-retrieval")
    assert [text for text, _ in retriever.rank(image, "red")] == ["red"]  # not its letters
    with pytest.raises(errors.UsageError, match=r"a list of at least one text, not \[\]"):
        retriever.rank(image, [])
    answerer = load_model("xvlm-shapes", task="vqav2")
    assert answerer.answer(image, "what?", answers=np.array(["red", "two"])) in ("red", "two")
    for answers in (["red", 2], "red", None, 5):
        with pytest.raises(errors.UsageError, match="answers should be a list of texts"):
            answerer.answer(image, "what?", answers=answers)
    reasoner = load_model("xvlm-shapes", task="nlvr2")
    with pytest.raises(errors.UsageError, match=r"statement should be a text, not \['a', 'b'\]"):
        reasoner.judge(image, image, ["a", "b"])


def test_one_metric_may_be_named_without_a_list():
    shipped = read_results(shipped_path("results"))
    comparison = compare(shipped.filter(task="refcoco+", split="val"), shipped, metrics="accuracy")
    assert [cell.metric for cell in comparison] == ["accuracy"]
