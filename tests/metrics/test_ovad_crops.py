"""From box annotations to crops, against the official tool, byte for byte."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from harness.formats.ovad import read_ovad
from harness.images import Region
from harness.models.preprocessing import resize
from harness.running.loader import load_batches, plan_batches
from harness.task import Sample

KIND = "ovad_crops"
BILINEAR = Image.Resampling.BILINEAR


@pytest.fixture
def boxes(case, tmp_path):
    """The boxes that count; the golden's annotations lack what crops do not need."""
    content = case.json("annotations.json")
    labels = len(content["annotations"][0]["att_vec"])
    content["attributes"] = [
        {"id": n, "name": f"t:{n}", "is_has_att": "is", "freq_set": "head"} for n in range(labels)
    ]
    (tmp_path / "ovad.json").write_text(json.dumps(content))
    return read_ovad(tmp_path / "ovad.json").boxes


def sha256(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def test_the_boxes_that_count_are_the_official_ones_in_their_order(case, boxes):
    assert [box.id for box in boxes] == [
        kept["annotation_id"] for kept in case.json("expected.json")["kept"]
    ]


def test_crops_and_their_resize_are_the_official_ones(case, boxes):
    seen = []

    def prepare(image):
        seen.append(np.array(image))
        return resize(image, 224, BILINEAR)

    samples = [
        Sample(box.id, (Region(case.path / "images" / box.file_name, box.pixels),)) for box in boxes
    ]
    for kept, sample in zip(case.json("expected.json")["kept"], samples, strict=True):
        (batch,) = load_batches(plan_batches([sample], 1), prepare, workers=1)
        crop = seen.pop()
        assert crop.shape == (kept["crop_height"], kept["crop_width"], 3)
        assert sha256(crop) == kept["crop_rgb_sha256"]
        assert sha256(batch.images[0]) == kept["resized_rgb_sha256"]


def test_a_file_is_decoded_once_for_all_of_its_boxes(case, boxes):
    decoded = []
    samples = [
        Sample(box.id, (Region(case.path / "images" / box.file_name, box.pixels),)) for box in boxes
    ]
    (batch,) = load_batches(
        [samples], lambda image: decoded.append(image.size) or resize(image, 8), workers=1
    )
    assert len(batch.images) == len({sample.images for sample in samples}) == len(decoded)
