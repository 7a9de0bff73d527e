"""Images to arrays, texts to tokens, bit for bit."""

import numpy as np
import pytest
from PIL import Image

from harness.engine.device import choose_device
from harness.models.blip.tokenizer import BlipTokenizer
from harness.models.fusion.preprocessing import normalise
from harness.models.fusion.resizing import resize
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.preprocessing import pre_caption, pre_question

KIND = "k_preprocess"


def resized(path, side, filter, *, height_first=False):
    """The resized bytes; with `height_first`, those of the transposed image, transposed back."""
    with Image.open(path) as image:
        if not height_first:
            return resize(image, side, filter)
        turned = image.convert("RGB").transpose(Image.Transpose.TRANSPOSE)
        return np.ascontiguousarray(resize(turned, side, filter).transpose(1, 0, 2))


def finished(pixels, what):
    if what == "uint8":
        return pixels
    if what == "bilinear01":
        return pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return normalise(pixels[None], choose_device("cpu", "float32"))[0].numpy()


def test_images_become_the_official_arrays_bit_for_bit(case):
    """With one exception: Pillow 13, which made the goldens, resizes some portraits height first.

    The published numbers come from Pillow 9 and older, which always resized the width first, as
    `resize` does with any Pillow. A golden array of other bytes must be the height-first one of a
    portrait image, again bit for bit.
    """
    for name, expected in case.outputs.items():
        file, side, *kind = name.split("|")
        what = kind[0] if kind else "normalised"
        filter = Image.Resampling.BILINEAR if what == "bilinear01" else Image.Resampling.BICUBIC
        path = case.path / "images" / file
        pixels = resized(path, int(side), filter)
        if not np.array_equal(finished(pixels, what), expected):
            with Image.open(path) as image:
                assert image.height > image.width, f"{name} differs"
            pixels = resized(path, int(side), filter, height_first=True)
            assert np.array_equal(finished(pixels, what), expected), (
                f"{name} differs in either order"
            )


def test_texts_are_cleaned_as_officially(case):
    clean = {"pre_caption": pre_caption, "pre_question": pre_question}
    for row in case.json("text.json"):
        for key, expected in row.items():
            if key == "text":
                continue
            function, words = key.rsplit("_", 1)
            if "error" in expected:
                with pytest.raises(ValueError, match="nothing is left"):
                    clean[function](row["text"], int(words))
            else:
                assert clean[function](row["text"], int(words)) == expected["out"], row["text"]


def test_texts_become_the_official_tokens(case):
    tokenizer = Tokenizer(case.path / "vocab.txt")
    for row in case.json("tokenize.json"):
        assert tokenizer.ids(row["text"]) == row["ids_task"], row["text"]
        for key, expected in row.items():
            if key.startswith("ids_task_max"):
                longest = int(key.removeprefix("ids_task_max"))
                cut = tokenizer.batch([row["text"], "a " * longest], max_tokens=longest)
                assert cut.ids[0].tolist() == expected, row["text"]


def test_texts_with_a_final_token_become_the_official_tokens(case):
    """Those of BLIP, and of captions that X-VLM is trained on: a cut text keeps its [SEP]."""
    tokenizer = BlipTokenizer(case.path / "vocab.txt")
    for row in case.json("tokenize.json"):
        if "tokens" in row:
            pieces = tokenizer.piece_ids(row["text"])
            assert [tokenizer.pieces[piece] for piece in pieces] == row["tokens"], row["text"]
        for key, expected in row.items():
            if key.startswith("ids_captioning"):
                longest = key.removeprefix("ids_captioning").removeprefix("_max")
                ids = tokenizer.ids(row["text"], max_tokens=int(longest) if longest else None)
                padding = [tokenizer.pad] * (len(expected) - len(ids))
                assert ids + padding == expected, (key, row["text"])
