"""Images that are re-ranked together: which ones, and that the record says so."""

import numpy as np
import pytest
import torch

from harness.engine.chunks import CHUNK_SIZES
from harness.engine.device import RERANKED_IMAGES, choose_device
from harness.engine.encoded_gallery import EncodedGallery
from harness.errors import UsageError
from tests.support.predicting import model_of


def gallery(*batches: list[int]) -> EncodedGallery[None]:
    """A gallery of images with these numbers, encoded in these batches."""
    numbers = [number for batch in batches for number in batch]
    ends = np.cumsum([len(batch) for batch in batches]).tolist()
    ranges = [range(end - len(batch), end) for end, batch in zip(ends, batches, strict=True)]
    return EncodedGallery(ranges, numbers, [None] * len(numbers), numbers, torch.empty(0))


@pytest.mark.parametrize(
    ("size", "groups"),
    [(1, [[6], [7], [0], [1], [2]]), (2, [[6, 7], [0, 1], [2]]), (8, [[6, 7], [0, 1, 2]])],
)
def test_a_group_never_reaches_into_another_batch(size, groups):
    images = gallery([6, 7], [0, 1, 2])
    assert [[images.numbers[index] for index in group] for group in images.groups(size)] == groups


def test_one_image_at_a_time_is_the_default_and_not_named(monkeypatch):
    monkeypatch.delenv(RERANKED_IMAGES, raising=False)
    device = choose_device("cpu", "float32")
    assert device.name == "cpu"
    assert device.chunk_sizes.reranked_images == 1
    assert {sizes.reranked_images for sizes in CHUNK_SIZES.values()} == {1}


def test_the_environment_chooses_how_many_and_the_record_names_it(monkeypatch):
    monkeypatch.setenv(RERANKED_IMAGES, "4")
    device = choose_device("cpu", "float32")
    assert device.name == "cpu (re-ranked images: 4)"
    sizes = device.chunk_sizes
    assert (sizes.reranked_images, sizes.of_pairs.text_tokens) == (4, 4 * sizes.text_tokens)


@pytest.mark.parametrize("setting", ["0", "-1", "many", "1.5", "²"])
def test_another_setting_is_refused(setting, monkeypatch):
    monkeypatch.setenv(RERANKED_IMAGES, setting)
    with pytest.raises(UsageError, match=f"{RERANKED_IMAGES}={setting}: expected a whole number"):
        choose_device("cpu", "float32")


def test_a_retriever_takes_the_number_from_its_device(monkeypatch):
    monkeypatch.setenv(RERANKED_IMAGES, "4")
    assert model_of("coco-retrieval", "cpu", "float32")[1].images_at_a_time == 4
