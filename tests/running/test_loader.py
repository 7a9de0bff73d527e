"""Batches by image, decoded ahead: each distinct image once, whatever the order and threads."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.images import Region
from harness.models.fusion.resizing import resize
from harness.running.loader import AHEAD, load_batches, plan_batches
from harness.task import Sample


def sample(number, *names, folder=None):
    return Sample(number, tuple((folder or Path()) / name for name in names))


@given(images=st.lists(st.integers(0, 6), min_size=1, max_size=40), size=st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_every_sample_is_in_one_batch_and_no_image_in_two(images, size):
    samples = [sample(number, str(image)) for number, image in enumerate(images)]
    batches = plan_batches(samples, size)
    assert Counter(s.id for batch in batches for s in batch) == Counter(range(len(images)))
    homes = [{s.images for s in batch} for batch in batches]
    assert sum(map(len, homes)) == len(set().union(*homes)) == len(set(images))
    for batch in batches:
        assert len(batch) <= size or len({s.images for s in batch}) == 1


def test_images_of_one_name_are_told_apart_by_folder_and_box():
    views = [Path("a/1.jpg"), Path("b/1.jpg"), Region(Path("a/1.jpg"), (0, 0, 1, 1))]
    order = [0, 1, 2, 1, 0, 2, 0]
    shared = [(view,) for view in views]
    for images in ([shared[n] for n in order], [(views[n],) for n in order]):
        samples = [Sample(number, image) for number, image in enumerate(images)]
        ids = [[sample.id for sample in batch] for batch in plan_batches(samples, 2)]
        assert ids == [[0, 4, 6], [1, 3], [2, 5]]


def test_samples_without_images_share_a_batch():
    samples = [Sample(0, ()), Sample(1, (Path("1.jpg"),)), Sample(2, ())]
    assert [[s.id for s in batch] for batch in plan_batches(samples, 2)] == [[0, 2], [1]]


def test_no_samples_are_no_batches():
    assert plan_batches([], 8) == []


def test_each_image_is_decoded_once_for_all_of_its_samples(tmp_path):
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (6, 4), colour).save(tmp_path / name)
    samples = [
        sample(number, name, folder=tmp_path)
        for number, name in enumerate(["a.png", "b.png", "a.png", "a.png"])
    ]
    decoded = []

    def prepare(image):
        decoded.append(image.getpixel((0, 0)))
        return resize(image, 2)

    (batch,) = load_batches(plan_batches(samples, 8), prepare, workers=3)
    assert sorted(decoded) == [(0, 0, 255), (255, 0, 0)]
    assert [s.id for s in batch.samples] == [0, 2, 3, 1]
    assert batch.image_of.tolist() == [[0], [0], [0], [1]]
    assert batch.images.shape == (2, 2, 2, 3)
    assert batch.images[:, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]


def test_pairs_of_images_keep_their_order(tmp_path):
    for name, colour in (("l.png", "red"), ("r.png", "blue")):
        Image.new("RGB", (2, 2), colour).save(tmp_path / name)
    (batch,) = load_batches(
        [
            [
                sample(0, "l.png", "r.png", folder=tmp_path),
                sample(1, "r.png", "l.png", folder=tmp_path),
            ]
        ],
        lambda i: np.array(i),
        workers=1,
    )
    assert batch.images[batch.image_of[0], 0, 0].tolist() == [[255, 0, 0], [0, 0, 255]]
    assert batch.images[batch.image_of[1], 0, 0].tolist() == [[0, 0, 255], [255, 0, 0]]


@pytest.mark.parametrize("workers", [1, 4])
def test_batches_come_in_order_whatever_the_number_of_threads(tmp_path, workers):
    for number in range(20):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(tmp_path / f"{number}.png")
    samples = [sample(number, f"{number}.png", folder=tmp_path) for number in range(20)]
    batches = list(load_batches(plan_batches(samples, 3), lambda i: np.array(i), workers=workers))
    assert [int(pixels[0, 0, 0]) for batch in batches for pixels in batch.images] == list(range(20))


def test_images_are_decoded_ahead_of_use_but_never_all_at_once(tmp_path):
    for number in range(12):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{number}.png")
    decoded = []

    def prepare(image):
        decoded.append(image)
        return np.array(image)

    batches = load_batches(
        [[sample(number, f"{number}.png", folder=tmp_path)] for number in range(12)],
        prepare,
        workers=4,
    )
    for used in range(1, 13):
        next(batches)
        assert used <= len(decoded) <= used + AHEAD
