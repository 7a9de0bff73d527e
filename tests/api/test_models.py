"""Weights as objects: Pillow images in, Python values in pixels out."""

import numpy as np
import pytest
from PIL import Image

from harness import evaluate, load_model, load_task
from harness.api.images import prepared as put_together
from harness.errors import CapabilityError, DataError, MissingError, ModelError, UsageError
from harness.metrics.grounding import Box, iou
from tests.support.dual import write_dual_encoder


@pytest.fixture(scope="module")
def expression():
    return load_task("refcoco+").samples("val")[0]


def test_a_box_is_in_pixels_of_the_image_however_the_image_is_given(grounder, expression):
    (path,) = expression.images
    box = grounder.ground(path, expression.text)
    assert isinstance(box, Box) and all(type(number) is float for number in box)
    assert iou(expression.box, box) > 0.5
    with Image.open(path) as image:
        assert grounder.ground(image, expression.text) == box
        assert grounder.ground(np.asarray(image), [expression.text]) == [box]
        double = image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)
    assert grounder.ground(str(path), [expression.text, "red"])[0] == pytest.approx(box, abs=0.01)
    assert grounder.ground(double, expression.text).width == pytest.approx(2 * box.width, rel=0.2)


def test_answers_are_chosen_from_the_given_ones():
    model, question = load_model("xvlm-shapes", task="vqav2"), load_task("vqav2").samples("val")[0]
    (image,) = question.images
    assert question.text == "What pattern does the triangle have?"
    assert model.answer(image, question.text, answers=["no", "hollow", "blue"]) == "hollow"
    assert model.answer(image, [question.text], answers=("no", "hollow")) == ["hollow"]
    with pytest.raises(UsageError, match="list of texts to choose from"):
        model.answer(image, question.text, answers="hollow")


def test_statements_about_two_images_are_judged():
    model, samples = load_model("xvlm-shapes", task="nlvr2"), load_task("nlvr2").samples("dev")[:8]
    verdicts = [model.judge(*sample.images, sample.text) for sample in samples]
    assert all(type(verdict) is bool for verdict in verdicts)
    assert sum(v == s.label for v, s in zip(verdicts, samples, strict=True)) >= 5


def test_an_image_has_a_caption_and_a_list_of_images_has_captions():
    model, task = load_model("xvlm-shapes", task="coco-caption"), load_task("coco-caption")
    images = [sample.images[0] for sample in task.samples("val")[:2]]
    captions = model.caption(images)
    assert [type(caption) for caption in captions] == [str, str]
    assert model.caption(images[0]) == captions[0]


def test_texts_are_ranked_by_the_score_of_retrieval():
    model, task = load_model("xvlm-shapes", task="coco-retrieval"), load_task("coco-retrieval")
    first, second = task.samples("val")[:2]
    texts = [second.captions[0], first.captions[0]]
    ranked = model.rank(first.images[0], texts)
    assert [text for text, _ in ranked] == texts[::-1]
    scores = model.similarity([first.images[0], second.images[0]], texts)
    assert scores.shape == (2, 2)
    assert scores[0].argmax() == 1 and scores[1].argmax() == 0
    assert model.localize(first.images[0], "a disc").shape == (3, 3)


def test_a_capability_that_the_weights_lack_is_named(grounder, expression):
    with pytest.raises(CapabilityError, match="xvlm-shapes: caption needs a Captioner"):
        grounder.caption(expression.images[0])


def test_what_cannot_be_loaded_says_how_to_go_on():
    with pytest.raises(UsageError, match=r"different weights for .*load_model\("):
        load_model("xvlm-shapes")
    with pytest.raises(UsageError, match="did you mean xvlm-shapes"):
        load_model("xvlm-shape", task="refcoco+")
    with pytest.raises(UsageError, match="did you mean refcoco"):
        load_model("xvlm-shapes", task="refcocco+")
    with pytest.raises(UsageError, match="leave out --model and --name"):
        load_model("xvlm-shapes", task="refcoco+", family="blip")


def test_what_is_no_picture_or_text_is_refused(grounder, expression, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png: is not an image"):
        grounder.ground(tmp_path / "a.png", "red")
    with pytest.raises(MissingError, match=r"b\.png: no such image"):
        grounder.ground(tmp_path / "b.png", "red")
    with pytest.raises(UsageError, match="an image should be a Pillow image"):
        grounder.ground(7, "red")
    for texts in ([], [7], 7):
        with pytest.raises(UsageError, match="texts should be"):
            grounder.ground(expression.images[0], texts)


def test_models_and_benchmarks_describe_themselves(grounder):
    assert repr(grounder) == (
        "<LoadedModel xvlm-shapes: refcoco+.safetensors, bbox|96px|bicubic|30-words, cpu>"
    )
    assert repr(load_task("refcoco+")) == (
        "<LoadedTask refcoco+: val, testA, testB; predicted by Grounder; "
        "data of the embedded benchmark>"
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_dual_encoder(tmp_path_factory.mktemp("clip") / "tiny-clip", "clip")


def test_a_folder_of_another_family_is_loaded_without_a_task(clip, expression):
    model = load_model(clip, family="dual", arguments={"prompt": "a photo of "}, device="cpu")
    assert repr(model).startswith("<LoadedModel tiny-clip: tiny-clip, ")
    images = [expression.images[0], Image.new("RGB", (40, 90), "red")]
    scores = model.similarity(images, ["a red circle", "the green star", "blue"])
    assert scores.shape == (2, 3) and (abs(scores) <= 1).all()
    alone = model.similarity(images[1], ["a red circle", "the green star", "blue"])
    assert scores[1] == pytest.approx(alone[0], abs=1e-6)
    texts = [text for text, _ in model.rank(images[1], ["the green star", "blue"])]
    assert set(texts) == {"the green star", "blue"}
    with pytest.raises(CapabilityError, match="ground needs a Grounder"):
        model.ground(images[0], "red")
    (result,) = evaluate(model, "coco-retrieval", split="val", limit=4)
    assert result.record.checkpoint["arguments"] == {"prompt": "a photo of "}
    with pytest.raises(UsageError, match="dual knows prompt"):
        load_model(clip, family="dual", arguments={"promt": ""})


def test_a_weight_file_is_loaded_by_what_it_can(grounder, expression):
    model = load_model(grounder.weights.path, name="file")
    assert model.name == "file" and model.sha256 == grounder.sha256
    image = expression.images[0]
    assert model.ground(image, expression.text) == grounder.ground(image, expression.text)


class Shaped:
    def prepare(self, image):
        return np.asarray(image)


class Padding(Shaped):
    def collate(self, prepared):
        return [image.shape for image in prepared]


def test_images_are_put_together_by_a_model_that_does_so_itself():
    pictures = [Image.new("RGB", (4, 2)), Image.new("RGB", (8, 8))]
    assert put_together(Padding(), pictures) == [(2, 4, 3), (8, 8, 3)]
    assert put_together(Shaped(), pictures[1:]).shape == (1, 8, 8, 3)
    with pytest.raises(ModelError, match=r"image 1 as .*image 2 as .*cannot be stacked"):
        put_together(Shaped(), pictures)
