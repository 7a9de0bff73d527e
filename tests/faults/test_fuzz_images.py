"""Images with arbitrary content, and links to files elsewhere: decoded, or refused readably."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from harness.running.loader import load_batches
from harness.task import Sample
from tests.support.arbitrary import damaged, read_or_refused, seeds


def decoded(path):
    (batch,) = load_batches(
        [[Sample(1, (path,))]],
        lambda image: np.asarray(image.convert("RGB").resize((4, 4))),
        workers=1,
    )
    return batch


# Pillow warns of damage in the metadata of an image that it can decode.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_an_image_with_damaged_bytes_is_decoded_or_refused(tmp_path, kind):
    path = tmp_path / "image"
    Image.effect_noise((24, 24), 60).save(path, kind)
    sound = path.read_bytes()
    for seed in seeds():
        path.write_bytes(damaged(sound, seed))
        read_or_refused(decoded, path)


def test_an_image_that_is_a_link_out_of_its_folder_is_refused_and_a_link_to_the_folder_is_not(
    tmp_path,
):
    for name in ("real", "elsewhere"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "b.png").symlink_to("a.png")
    (tmp_path / "real" / "c.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert decoded(tmp_path / "linked" / "a.png") and decoded(tmp_path / "linked" / "b.png")
    assert read_or_refused(decoded, tmp_path / "linked" / "c.png") is None


def test_an_image_that_decompresses_to_gigabytes_is_refused(tmp_path):
    """A tiny PNG whose header claims 400 million pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 99)),
        (b"IEND", b""),
    ]
    whole = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + whole)
    assert read_or_refused(decoded, tmp_path / "bomb.png") is None
