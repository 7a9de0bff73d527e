"""Images that Pillow cannot decode, or decodes only in part, and the two policies for them."""

import json
import random
import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from harness.cli import flags
from harness.cli.main import main
from harness.errors import DataError
from harness.formats.folder import open_folder
from harness.images import AS_REFERENCE, POLICIES, STRICT, Region, decoding, image_file, read_views
from harness.models.fusion.resizing import resize
from harness.registry import find_task
from harness.running.subset import subset
from tests.support.benchmark_copy import copy_benchmark, replace_image

SIDE = 16
RUN = ["run", "--task", "refcoco+", "--split", "testB", "--limit", "4", "--batch-size", "2"]


def photo(side=64):
    """An image in which every byte of the file matters."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))


def encoded(image, format, **options):
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def read(path, policy=STRICT):
    """The pixels [SIDE, SIDE, 3] of an image file, as X-VLM's models are given them."""
    with decoding(policy):
        return read_views([path], lambda image: resize(image, SIDE), needed_by="sample 7")[path]


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::Warning:PIL")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.jpg"


@pytest.mark.parametrize("format", ["AVIF", "DDS", "JPEG2000", "WEBP", "TIFF"])
def test_a_damaged_file_is_read_or_refused_by_name_whatever_its_decoder_raises(path, format):
    content, random_ = encoded(photo(), format), random.Random(format)
    for _ in range(15):
        damaged = bytearray(content[: random_.choice([len(content), len(content) // 2])])
        for _ in range(random_.choice([1, 4, 30])):
            damaged[random_.randrange(4, len(damaged))] = random_.randrange(256)
        path.write_bytes(damaged)
        for policy in POLICIES:
            try:
                assert read(path, policy).shape == (SIDE, SIDE, 3)
            except DataError as error:
                assert "image.jpg: " in str(error) and "needed by sample 7" in str(error)


def broken_dds():
    """A DDS file of an unknown pixel format."""
    content = bytearray(encoded(photo(), "DDS"))
    content[80:84] = (0x30000000).to_bytes(4, "little")
    return bytes(content)


def broken_avif():
    """An AVIF file whose container is sound and whose stream is not."""
    content, random_ = encoded(photo(), "AVIF"), random.Random(0)
    while True:
        damaged = bytearray(content)
        for _ in range(8):
            damaged[random_.randrange(4, 300)] = random_.randrange(256)
        try:
            Image.open(BytesIO(damaged)).load()
        except RuntimeError:
            return bytes(damaged)
        except (OSError, SyntaxError):
            continue


@pytest.mark.parametrize(
    ("content", "error"), [(broken_dds, NotImplementedError), (broken_avif, RuntimeError)]
)
def test_what_one_decoder_raises_is_an_unreadable_image(path, content, error):
    path.write_bytes(content())
    with pytest.raises(DataError, match=r"image\.jpg: .*needed by sample 7") as caught:
        read(path)
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize(
    "error", [KeyError("x"), struct.error(""), IndexError(), TypeError("a\nb"), RecursionError()]
)
def test_whatever_a_decoder_raises_is_an_unreadable_image(path, error, monkeypatch):
    def load(self):
        raise error

    path.write_bytes(encoded(photo(), "JPEG"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(DataError, match=r"image\.jpg: cannot be decoded: .+needed by sample 7"):
        read(path)


def test_an_error_of_the_model_is_not_an_unreadable_image(path):
    path.write_bytes(encoded(photo(), "PNG"))
    with pytest.raises(KeyError):
        read_views([path], lambda image: {}["size"], needed_by="sample 7")


def without_end(path):
    """A JPEG file that lacks its last 20 bytes, as some of the web's pictures do."""
    path.write_bytes(encoded(photo(), "JPEG")[:-20])


def test_a_truncated_jpeg_is_refused_or_read_as_the_reference_reads_it(path, monkeypatch):
    without_end(path)
    with pytest.raises(DataError, match=r"truncated.*--images as-reference"):
        read(path)
    ours = read(path, AS_REFERENCE)
    # What X-VLM's datasets do: `Image.open(path).convert("RGB")` with these two switches.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    np.testing.assert_array_equal(ours, resize(Image.open(path).convert("RGB"), SIDE))


def test_the_number_of_pixels_is_limited_or_not(path, monkeypatch):
    monkeypatch.setattr("harness.images.PIXEL_LIMIT", 1000)
    path.write_bytes(encoded(photo(64), "PNG"))
    with pytest.raises(DataError, match=r"exceeds limit.*--images as-reference"):
        read(path)
    assert read(path, AS_REFERENCE).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_more_than_8_bits_a_pixel_are_refused_or_clipped_as_in_the_reference(path, format):
    values = np.array([[0, 100], [256, 60_000]], np.uint16).repeat(32, 0).repeat(32, 1)
    path.write_bytes(encoded(Image.fromarray(values), format))
    with pytest.raises(DataError, match=r"more than 8 bits a pixel \(mode I;16\).*turn white"):
        read(path)
    assert read(path, AS_REFERENCE)[[0, 0, -1, -1], [0, -1, 0, -1], 0].tolist() == [
        0,
        100,
        255,
        255,
    ]


def test_float_pixels_are_refused_too(path):
    path.write_bytes(encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))
    with pytest.raises(DataError, match=r"mode F"):
        read(path)


def test_regions_follow_the_policy_of_their_image(path):
    without_end(path)
    region = Region(path, (0, 0, 8, 8))
    with decoding(AS_REFERENCE):
        assert read_views([region], np.array, needed_by="box 1")[region].shape == (8, 8, 3)
    with decoding(STRICT), pytest.raises(DataError, match="truncated"):
        read_views([region], np.array, needed_by="box 1")


def test_the_switches_of_pillow_are_as_before_after_a_block(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as a plugin may set it
    with decoding(STRICT):
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert ImageFile.LOAD_TRUNCATED_IMAGES


def test_the_command_offers_the_policies():
    assert flags.IMAGES == POLICIES


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A copy of the embedded benchmark, one of whose pictures has no end; and that picture."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    copy_benchmark(root)
    samples = find_task("refcoco+").load(open_folder(root), "testB")
    path = image_file(subset(samples, 4)[-1].images[0])
    with Image.open(path) as image:
        replace_image(path, encoded(image.convert("RGB"), "JPEG")[:-2])
    return root


def test_the_policy_is_in_the_record_and_part_of_the_identity(data, tmp_path, capsys):
    command = [*RUN, "--checkpoint", "xvlm-shapes", "--data", str(data), "--out", str(tmp_path)]
    assert main(command) == 3
    assert "--images as-reference" in capsys.readouterr().err
    assert main([*command, "--images", "as-reference"]) == 4, "the predictions have another policy"
    assert "settings.images: none / as-reference" in capsys.readouterr().err
    assert main([*command, "--images", "as-reference", "--fresh"]) == 0
    record = json.loads((tmp_path / "xvlm-shapes" / "refcoco+.testB.limit-4.json").read_text())
    assert record["settings"] == {"dtype": "float32", "device": "cpu", "images": "as-reference"}


def test_verify_names_what_a_run_of_the_same_policy_refuses(data, capsys):
    command = ["data", "--task", "refcoco+", "--split", "testB", "--data", str(data), "--verify"]
    assert main(command) == 3
    assert "truncated" in capsys.readouterr().out
    assert main([*command, "--images", "as-reference"]) == 0
