"""Text cleaning and normalisation that the ALBEF-like families share, bit for bit.

Those of `dataset/utils.py` and `dataset/__init__.py` of ALBEF, from which X-VLM and BLIP took them.
"""

import re
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.device import Device

Images = Tensor | NDArray[np.uint8]
"""Images [M, 3, R, R] normalised on the device, or [M, R, R, 3] as prepared, on the host."""

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

_DELETED = re.compile(r"[,.'!?\"()*#:;~]")


def clean_caption(text: str, max_words: int) -> str:
    """Clean a caption, statement or expression as ALBEF does; it may become empty.

    A single tab or line break inside stays.
    """
    text = _without_marks(text).replace("<person>", "person")
    return first_words(collapse_blanks(text), max_words)


def clean_question(text: str, max_words: int) -> str:
    """Clean a question as ALBEF does: double blanks remain and count as words."""
    return first_words(_without_marks(text).rstrip(" "), max_words)


def collapse_blanks(text: str) -> str:
    """Replace runs of two or more white-space characters by a blank, and strip the text."""
    # The references strip line breaks first: "a \n" keeps neither, "a\n " keeps the line break.
    return re.sub(r"\s{2,}", " ", text).rstrip("\n").strip(" ")


def first_words(text: str, max_words: int) -> str:
    """Return the words up to `max_words`, where a blank ends a word."""
    words = text.split(" ")
    return text if len(words) <= max_words else " ".join(words[:max_words])


def normalise(images: NDArray[np.uint8], device: Device) -> Tensor:
    """Return prepared images [M, R, R, 3] as the vision encoders take them, [M, 3, R, R].

    Bytes are sent to the device, which goes on meanwhile, and become float32 there, in place; by
    rows of pixels, as the three numbers of one do not fill a vector register.
    """
    rows = device.send(torch.from_numpy(images)).float().flatten(2)
    mean, std = _mean_and_std(device.torch, images.shape[2])
    return rows.div_(255).sub_(mean).div_(std).unflatten(2, (-1, 3)).permute(0, 3, 1, 2)


@cache
def _mean_and_std(device: torch.device, pixels: int) -> tuple[Tensor, Tensor]:
    """Return MEAN and STD for a row of pixels [3 * pixels].

    Kept on the device, which would wait for its work to send them.
    """
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values, device=device).repeat(pixels) for values in (MEAN, STD))
        return mean, std


def _without_marks(text: str) -> str:
    return _DELETED.sub("", text.lower()).replace("-", " ").replace("/", " ")
