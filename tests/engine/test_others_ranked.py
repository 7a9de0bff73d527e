"""Images that other processes have encoded are encoded again and ranked after the own ones."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.capabilities import EncodedImages, Gallery
from harness.engine import two_stage_retrieval
from harness.engine.encoded_gallery import EncodedGallery
from harness.engine.two_stage_retrieval import rerank_gallery, retrieve
from harness.errors import ModelError

TEXTS = ["a", "b", "c"]


class Scorer:
    """A pair scorer whose images [M, 1] and states are numbers; `calls` lists what it did."""

    protocol, device, provenance, ranking = "numbers", "cpu", {}, "itm"

    def __init__(self):
        self.calls = []

    def prepare(self, image):
        raise NotImplementedError

    def read_images(self, images):
        self.calls.append(f"encode {images[:, 0].tolist()}")
        return EncodedImages(np.ones((len(images), 1), np.float32), images[:, 0].tolist())

    def read_texts(self, texts):
        return SimpleNamespace(features=np.ones((len(texts), 1), np.float32))

    def score_pairs(self, image, texts, candidates):
        self.calls.append(f"rank {image}")
        return image + candidates / 10


def batch(*numbers):
    return list(numbers), np.array(numbers)[:, None], np.arange(len(numbers))


def test_images_are_ranked_where_claimed_and_those_of_others_when_their_turn_has_come():
    """Of four images this process owns 0 and 1; another one takes over 1, and this one 3 of it."""
    model, asked = Scorer(), []

    def claim(number):
        asked.append((number, len(model.calls)))
        return number == 0

    def others():
        model.calls.append("others are drawn")
        yield batch(2, 3)

    gallery = Gallery(
        iter([batch(0), batch(1)]),
        lambda value: [value, ([2, 3], value[1].new_ones(2, 1))],
        claim,
        others(),
    )
    matches = list(retrieve(model, gallery, TEXTS, shortlist=3, wanted={0, 1, 3}))
    assert model.calls == [
        "encode [0]",
        "encode [1]",
        "rank 0",
        "others are drawn",
        "encode [2, 3]",
        "rank 3",
    ]
    assert asked == [(0, 2), (1, 3)]
    assert [match.image for match in matches] == [0, 3]
    assert np.allclose(matches[1].itm, [3.0, 3.1, 3.2])


def test_a_dual_encoder_ranks_its_own_images_only():
    model = SimpleNamespace(
        protocol="numbers",
        device="cpu",
        provenance={},
        prepare=None,
        encode_images=lambda images: np.ones((len(images), 1), np.float32),
        encode_texts=lambda texts: np.ones((len(texts), 1), np.float32),
    )
    gallery = Gallery(iter([batch(0, 1)]), lambda value: [value], others=iter([None]))
    matches = retrieve(model, gallery, TEXTS, shortlist=3, wanted={0, 1})
    assert [match.image for match in matches] == [0, 1]


@pytest.mark.parametrize(("numbers", "device"), [([], "meta"), ([0], "cpu")])
def test_a_process_without_images_ranks_on_the_device_of_the_texts(numbers, device, monkeypatch):
    """It gathers the features of others on the host, and would rank there what it takes over."""
    chosen = []

    def choose(torch_device, dtype):
        chosen.append(torch_device.type)
        raise InterruptedError

    monkeypatch.setattr(two_stage_retrieval, "Device", choose)
    batches = [range(1)] if numbers else []
    images = EncodedGallery(batches, numbers, [None] * len(numbers), [0], torch.zeros(1, 2))
    texts = torch.zeros(1, 2, device="meta")
    with pytest.raises(InterruptedError):
        list(rerank_gallery(images, texts, None, ranking="itc", shortlist=1, wanted=()))
    assert chosen == [device]


@pytest.mark.parametrize("kind", ["pair scorer", "dual encoder"])
def test_a_gallery_without_a_readable_image_has_no_matches(kind):
    model = Scorer()
    if kind == "dual encoder":
        model = SimpleNamespace(
            protocol="numbers",
            device="cpu",
            provenance={},
            prepare=None,
            encode_images=None,
            encode_texts=lambda texts: np.ones((len(texts), 1), np.float32),
        )
    gallery = Gallery(iter([]), lambda value: [value, value])
    assert list(retrieve(model, gallery, TEXTS, shortlist=3, wanted={0, 1})) == []


@pytest.mark.parametrize("scores", [np.zeros(4), np.zeros(2), np.zeros((3, 2))], ids=np.shape)
def test_scores_that_are_not_one_for_each_pair_are_refused(scores, monkeypatch):
    model = Scorer()
    monkeypatch.setattr(model, "score_pairs", lambda image, texts, candidates: scores)
    gallery = Gallery(iter([batch(0)]), lambda value: [value])
    with pytest.raises(ModelError, match="for 3 pairs of image and text"):
        list(retrieve(model, gallery, TEXTS, shortlist=3, wanted={0}))
