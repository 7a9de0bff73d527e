"""From box annotations to crops, against the official tool, byte for byte."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from harness import images
from harness.formats.ovad import read_ovad
from harness.images import Region, read_views
from harness.models.fusion.resizing import resize
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
        return resize(image, case.json("expected.json")["image_size"], BILINEAR)

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


# A CMYK image of 2 x 2 blocks of 8 pixels, and what cv2.imread of OpenCV 5.0 makes of its JPEG.
INKS = [[(0, 0, 0, 0), (255, 0, 0, 0)], [(10, 60, 200, 40), (90, 90, 90, 200)]]
BY_OPENCV = [[[255, 255, 255], [1, 255, 255]], [[207, 165, 48], [36, 36, 36]]]


def test_cmyk_images_are_decoded_as_by_opencv(tmp_path):
    inks = np.array(INKS, np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.jpg", quality=100)
    region = Region(tmp_path / "a.jpg", (0, 0, 16, 16))
    crop = read_views([region], np.array, needed_by="box 1")[region]
    assert crop[4::8, 4::8].tolist() == BY_OPENCV


def test_regions_are_cut_from_one_upright_copy_and_the_whole_image_is_as_stored(
    tmp_path, monkeypatch
):
    columns = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    path = tmp_path / "turned.png"
    columns.save(path, exif=exif)
    turned, transpose = [], images.ImageOps.exif_transpose
    monkeypatch.setattr(
        images.ImageOps, "exif_transpose", lambda image: turned.append(1) or transpose(image)
    )
    first, last = Region(path, (0, 0, 1, 1)), Region(path, (3, 3, 1, 1))
    views = read_views([first, path, last], np.array, needed_by="a test")
    assert views[first].tolist() == [[[45, 46, 47]]]  # the last pixel of the file
    assert views[last].tolist() == [[[0, 1, 2]]]
    assert views[path].tolist() == np.array(columns).tolist()
    assert len(turned) == 1
