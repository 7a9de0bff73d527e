"""Inputs that cost what those of the benchmarks cost: as many tokens, answers that have as much in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.models.xvlm.captioner import PROMPT

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SYLLABLES = [consonant + vowel for consonant, vowel in product("bcdfghjklmnpqrstvwxz", "aeiou")]
BLOTCHES = 8  # a side: the coarse structure of an image


@dataclass(frozen=True)
class Lengths:
    """How many tokens the texts of a benchmark have, [CLS] included: mean, standard deviation, least and most."""

    mean: float
    spread: float
    least: int
    most: int


# Words of the annotations and some 5 % more for words in several pieces.
COCO = Lengths(11.8, 2.4, 8, 30)
VQA = Lengths(7.4, 2.0, 4, 20)
NLVR2 = Lengths(15.5, 4.5, 6, 31)
REFCOCO = Lengths(5.0, 2.2, 2, 15)

# Of the 3,128 answers of VQA, by a public list of almost the same answers: 70 % have one word; 200 begin with a word that is no answer
# itself; of the others, so many have two, three, four and five words.
ONE_WORD, NEW_BEGINNING = 0.70, 0.064
LONGER = {2: 0.849, 3: 0.136, 4: 0.012, 5: 0.003}


def write_vocabulary(path: Path, pieces: int) -> list[str]:
    """Write a vocabulary of so many pieces, one a line, and return those that are words to make texts of."""
    prompt = PROMPT.split()
    words = [
        "".join(parts)
        for _, parts in zip(
            range(pieces - len(SPECIAL) - len(prompt)), product(SYLLABLES, repeat=3), strict=False
        )
    ]
    path.write_text("\n".join([*SPECIAL, *prompt, *words]) + "\n", encoding="utf-8")
    return words


def texts(count: int, lengths: Lengths, words: Sequence[str]) -> list[str]:
    """Return `count` texts of random words, as long as those of a benchmark, the same at every call."""
    draws = np.random.default_rng(count)
    tokens = np.clip(
        np.rint(draws.normal(lengths.mean, lengths.spread, count)), lengths.least, lengths.most
    ).astype(int)
    return [" ".join(_drawn(words, length - 1, draws)) for length in tokens]


def answers(count: int, words: Sequence[str]) -> tuple[str, ...]:
    """Return `count` different answers that have as much in common as VQA's."""
    draws = np.random.default_rng(count)
    one, beginning = round(count * ONE_WORD), round(count * NEW_BEGINNING)
    longer = draws.choice(list(LONGER), p=list(LONGER.values()), size=count - one - beginning)
    lengths = [1] * one + [2] * beginning + [int(length) for length in longer]
    firsts = [*words[: one + beginning], *_drawn(words[:one], len(longer), draws)]
    found: dict[str, None] = {}
    for length, first in zip(lengths, firsts, strict=True):
        while (answer := " ".join([first, *_drawn(words, length - 1, draws)])) in found:
            pass
        found[answer] = None
    return tuple(found)


def _drawn(words: Sequence[str], count: int, draws: np.random.Generator) -> list[str]:
    return [words[number] for number in draws.integers(len(words), size=count)]


def pixels(count: int, side: int) -> NDArray[np.uint8]:
    """Return `count` different images as they come from a file, [count, side, side, 3]."""
    return np.random.default_rng(side).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def images(count: int, side: int) -> Tensor:
    """Return `count` different images as the network wants them, [count, 3, side, side]: blotches of colour, and noise."""
    draws = torch.Generator().manual_seed(side)
    coarse = torch.randn(count, 3, BLOTCHES, BLOTCHES, generator=draws)
    fine = torch.randn(count, 3, side, side, generator=draws)
    return (
        coarse.repeat_interleave(side // BLOTCHES, 2).repeat_interleave(side // BLOTCHES, 3)
        + 0.3 * fine
    )
