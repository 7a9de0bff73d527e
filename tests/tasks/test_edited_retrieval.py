"""Retrieval's predictions that somebody edited, or another program made: refused by image."""

import copy
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.registry import find_task
from tasks.retrieval import Picture

COCO = find_task("coco-retrieval")
SAMPLES = [Picture(f"{n}", (Path(f"{n}.jpg"),), ("one", "two"), f"{n}.jpg") for n in range(4)]
# Each image is compared with its own two texts, which it prefers, and with those of the next one.
TEXTS = {"0": [0, 1, 2, 3], "1": [2, 3, 4, 5], "2": [4, 5, 6, 7], "3": [6, 7, 0, 1]}
PREDICTIONS = {
    id: {"texts": texts, "itc": [0.5, 0.25, 0.125, 0.0], "itm": [2, 1.0, 0.5, -1], "shortlist": 2}
    for id, texts in TEXTS.items()
}


def scored(change):
    predictions = copy.deepcopy(PREDICTIONS)
    change(predictions)
    return COCO.score(SAMPLES, predictions)


def drop(image, *texts):
    """Remove texts of an image, each with its scores."""

    def change(predictions):
        prediction = predictions[image]
        kept = [row for row, text in enumerate(prediction["texts"]) if text not in texts]
        for key in ("texts", "itc", "itm"):
            prediction[key] = [prediction[key][row] for row in kept]

    return change


def put(image, key, index, value):
    return lambda predictions: predictions[image][key].__setitem__(index, value)


def test_what_a_run_writes_is_scored():
    assert scored(lambda predictions: None).metrics["i2t_r5"] == 100.0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (put("1", "texts", 0, 2.6), "for image 1 should hold texts, whole numbers, and for each"),
        (put("1", "texts", 0, "2"), "for image 1 should hold texts, whole numbers"),
        (put("1", "texts", 0, 2**70), "for image 1 should hold texts, whole numbers"),
        (put("2", "itc", 3, "0.5"), "for image 2 should hold .* itc and itm, numbers"),
        (put("2", "itm", 3, None), "for image 2 should hold .* itc and itm, numbers"),
        (put("2", "itm", 3, [1]), "for image 2 should hold .* itc and itm, numbers"),
        (put("2", "itm", 3, 1e999), "image 2 holds a score that is not finite"),
        (put("1", "texts", 0, 3), "image 1 does not hold a score for each of its texts"),
        (put("1", "texts", 0, 8), r"image 1 holds a text index outside 0\.\.7"),
        (drop("3", 0, 6, 7), "image 3 holds 1 texts, but the shortlist has 2; .* 'shortlist'"),
    ],
)
def test_an_edit_is_refused_with_its_image(change, complaint):
    with pytest.raises(DataError, match=complaint):
        scored(change)


def test_a_text_that_lacks_images_of_its_shortlist_is_named():
    def change(predictions):
        drop("0", 2, 3)(predictions)
        drop("1", 2, 3)(predictions)

    with pytest.raises(DataError, match=r"text 2 was compared with 0 of 4 images, .* has 2; "):
        scored(change)


def test_a_text_of_a_small_gallery_is_compared_with_all_images():
    """No image can be one of two that are equally close: even one that is missing is noticed."""

    def change(predictions):
        scores = [number / 8 for number in range(8)]
        for prediction in predictions.values():
            prediction |= {"texts": [*range(8)], "itc": scores, "itm": scores, "shortlist": 4}
        drop("3", 0)(predictions)

    with pytest.raises(DataError, match="text 0 was compared with 3 of 4 images"):
        scored(change)


def test_an_image_that_was_skipped_is_on_no_shortlist():
    def skip(*images):
        return lambda predictions: predictions.update(
            {image: COCO.fallback_prediction(SAMPLES[int(image)]) for image in images}
        )

    assert scored(skip("2")).metrics["i2t_r1"] == 75.0
    assert scored(skip("0", "1", "2", "3")).metrics["i2t_r1"] == 0.0
