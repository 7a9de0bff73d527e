"""X-VLM's text cleaning and image transform, bit for bit.

Those of the reference's `dataset/utils.py` and `dataset/__init__.py`, pinned down by golden
`k_preprocess`.
"""

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CAPTION_WORDS = 30  # `max_words` of the reference's retrieval, NLVR2 and grounding configurations
QUESTION_WORDS = 50  # words of a question kept at test time
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

_DELETED = re.compile(r"[,.'!?\"()*#:;~]")


def pre_caption(text: str, max_words: int = CAPTION_WORDS) -> str:
    """Clean a caption, statement or expression as the reference does.

    A single tab or line break inside stays. Raises ValueError for a text that becomes empty.
    """
    text = _without_marks(text).replace("<person>", "person")
    # The reference strips line breaks first: "a \n" keeps neither, "a\n " keeps the line break.
    text = re.sub(r"\s{2,}", " ", text).rstrip("\n").strip(" ")
    text = _first_words(text, max_words)
    if not text:
        raise ValueError("nothing is left of the text after cleaning")
    return text


def pre_question(text: str, max_words: int = QUESTION_WORDS) -> str:
    """Clean a question as the reference does: double blanks remain and count as words."""
    return _first_words(_without_marks(text).rstrip(" "), max_words)


def resize(
    image: Image.Image, side: int, filter: Image.Resampling = Image.Resampling.BICUBIC
) -> NDArray[np.uint8]:
    """Return the image squashed to `side` x `side` pixels, RGB, [side, side, 3].

    Alpha is dropped and the EXIF orientation ignored, as in the reference. The two steps, width
    first, are those inside Pillow up to 12; Pillow 13 begins with the height of portrait images,
    which changes 11 % of the values by up to 6.
    """
    rgb = image.convert("RGB")
    return np.array(rgb.resize((side, rgb.height), filter).resize((side, side), filter))


def _without_marks(text: str) -> str:
    return _DELETED.sub("", text.lower()).replace("-", " ").replace("/", " ")


def _first_words(text: str, max_words: int) -> str:
    words = text.split(" ")
    return text if len(words) <= max_words else " ".join(words[:max_words])
