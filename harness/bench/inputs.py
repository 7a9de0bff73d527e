"""Synthetic inputs that cost as much as the benchmarks': text lengths, answers, images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from harness.models.fusion.tokenizer import SPECIAL
from harness.models.xvlm.adapters import PROMPT

SYLLABLES = [consonant + vowel for consonant, vowel in product("bcdfghjklmnpqrstvwxz", "aeiou")]
CELLS = 8  # cells per side of the coarse structure of an image
PHOTO = (640, 480)  # width and height in pixels of most COCO images
BLUR = 8  # times that the random pixels of a photo are enlarged
QUALITY = 92  # JPEG quality at which the files are as large as COCO's


@dataclass(frozen=True)
class TextLengths:
    """The lengths of a benchmark's texts in tokens, [CLS] included."""

    mean: float
    std: float
    shortest: int
    longest: int


# Words of the annotations, plus about 5 % for words of several pieces.
COCO = TextLengths(11.8, 2.4, 8, 30)
VQA = TextLengths(7.4, 2.0, 4, 20)
NLVR2 = TextLengths(15.5, 4.5, 6, 31)
REFCOCO = TextLengths(5.0, 2.2, 2, 15)

# Shares of VQA's 3,128 answers, by a public list of almost the same answers. 70 % are one word.
# 200 begin with a word that is not an answer itself. The others have two to five words.
ONE_WORD, NEW_FIRST_WORD = 0.70, 0.064
SHARE_OF_LENGTH = {2: 0.849, 3: 0.136, 4: 0.012, 5: 0.003}


def write_vocabulary(path: Path, pieces: int) -> list[str]:
    """Write a vocabulary of `pieces` lines; return its words.

    The special tokens and the words of the prompt are left out.
    """
    prompt = PROMPT.split()
    count = pieces - len(SPECIAL) - len(prompt)
    syllables = product(SYLLABLES, repeat=3)
    words = ["".join(parts) for _, parts in zip(range(count), syllables, strict=False)]
    path.write_text("\n".join([*SPECIAL, *prompt, *words]) + "\n", encoding="utf-8")
    return words


def texts(count: int, lengths: TextLengths, words: Sequence[str]) -> list[str]:
    """Return `count` texts of random words with a benchmark's lengths, the same at every call."""
    rng = np.random.default_rng(count)
    tokens = np.rint(rng.normal(lengths.mean, lengths.std, count))
    tokens = np.clip(tokens, lengths.shortest, lengths.longest).astype(int)
    return [" ".join(_draw(words, length - 1, rng)) for length in tokens]


def answers(count: int, words: Sequence[str]) -> tuple[str, ...]:
    """Return `count` distinct answers that share as many prefixes as VQA's."""
    rng = np.random.default_rng(count)
    single, new = round(count * ONE_WORD), round(count * NEW_FIRST_WORD)
    longer = rng.choice(
        list(SHARE_OF_LENGTH), p=list(SHARE_OF_LENGTH.values()), size=count - single - new
    )
    lengths = [1] * single + [2] * new + [int(length) for length in longer]
    first_words = [*words[: single + new], *_draw(words[:single], len(longer), rng)]
    distinct: dict[str, None] = {}
    for length, first in zip(lengths, first_words, strict=True):
        while (answer := " ".join([first, *_draw(words, length - 1, rng)])) in distinct:
            pass
        distinct[answer] = None
    return tuple(distinct)


def pixels(count: int, side: int) -> NDArray[np.uint8]:
    """Return `count` different images as decoded from files, [count, side, side, 3]."""
    return np.random.default_rng(side).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def images(count: int, side: int) -> Tensor:
    """Return `count` different normalised images [count, 3, side, side]: coloured cells and noise.

    `side` is a multiple of CELLS.
    """
    rng = torch.Generator().manual_seed(side)
    coarse = torch.randn(count, 3, CELLS, CELLS, generator=rng)
    fine = torch.randn(count, 3, side, side, generator=rng)
    cell = side // CELLS
    return coarse.repeat_interleave(cell, 2).repeat_interleave(cell, 3) + 0.3 * fine


def photo(seed: int) -> Image.Image:
    """Return a photo of the size that most images of COCO have; save it as JPEG of QUALITY."""
    width, height = PHOTO
    coarse = np.random.default_rng(seed).integers(
        0, 256, (height // BLUR, width // BLUR, 3), dtype=np.uint8
    )
    return Image.fromarray(coarse).resize(PHOTO)


def _draw(words: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return [words[number] for number in rng.integers(len(words), size=count)]
