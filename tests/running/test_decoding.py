"""Images decoded in processes are those decoded in threads, to the bit, and so are the errors."""

import gc
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.errors import DataError
from harness.images import Region
from harness.models.preprocessing import resize
from harness.running import decoding
from harness.running.decoding import DECODING, make_decoder
from harness.running.loader import load_batches, plan_batches
from harness.task import Sample

PREPARE = partial(resize, side=16)
pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")


@pytest.fixture
def samples(tmp_path):
    rng = np.random.default_rng(0)
    samples = []
    for number in range(11):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
        samples += [
            Sample(2 * number, (path,)),
            Sample(2 * number + 1, (Region(path, (3, 2, 9, 8)),)),
        ]
    return samples


def load(samples, **given):
    return list(load_batches(plan_batches(samples, 6), PREPARE, workers=2, **given))


def descriptors():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_processes_decode_the_pixels_that_threads_decode(samples, monkeypatch):
    expected = load(samples)
    monkeypatch.setenv(DECODING, "processes")
    assert isinstance(make_decoder(PREPARE, 2), decoding._ProcessDecoder)
    load(samples)  # starts the processes
    before = descriptors()
    batches = load(samples)
    assert len(batches) == len(expected) > 2
    for batch, other in zip(batches, expected, strict=True):
        assert batch.samples == other.samples
        assert np.array_equal(batch.image_of, other.image_of)
        assert batch.images.dtype == np.uint8 and np.array_equal(batch.images, other.images)
    del batches, batch
    assert descriptors() == before  # the memory of every batch is freed


def test_an_unreadable_file_is_named_or_skipped(samples, monkeypatch):
    broken = samples[8].images[0]
    broken.write_bytes(b"no image")

    def outcome(setting):
        monkeypatch.setenv(DECODING, setting)
        with pytest.raises(DataError, match=rf"{broken.name}: is not an image.*sample 8"):
            load(samples)
        skipped = []
        batches = load(samples, skip=lambda sample, reason: skipped.append((sample.id, reason)))
        return skipped, [batch.images.tolist() for batch in batches]

    assert outcome("threads") == outcome("processes")
    assert [id for id, _ in outcome("processes")[0]] == [8, 9]


def test_what_cannot_be_sent_to_a_process_decodes_in_threads(monkeypatch):
    monkeypatch.setenv(DECODING, "processes")
    large = partial(resize, side=np.zeros(decoding.MAX_PICKLED, dtype=np.uint8))
    for prepare in (lambda image: np.array(image), large):
        assert isinstance(make_decoder(prepare, 2), decoding._ThreadDecoder)
    monkeypatch.delenv(DECODING)
    assert isinstance(make_decoder(PREPARE, 2), decoding._ThreadDecoder)


def test_a_consumer_may_stop_early(samples, monkeypatch):
    monkeypatch.setenv(DECODING, "processes")
    load(samples)
    before = descriptors()
    batches = load_batches(plan_batches(samples, 2), PREPARE, workers=2)
    next(batches)
    batches.close()
    assert descriptors() == before
