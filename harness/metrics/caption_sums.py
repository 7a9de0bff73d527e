"""BLEU and METEOR made of what each image adds to their sums, so that they can be computed again from resampled images.

Both are computed from counts of the whole split and are no mean over images. Source: `bleu_scorer.py` of pycocoevalcap, and METEOR 1.5
(Denkowski & Lavie 2014, the English ranking parameters), from the statistics that its program prints for each image. Golden `caption_eval`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.statistics.sums import Floats, Sums

NO_MATCH, NO_GUESS = 1e-15, 1e-9  # what the scorer adds against division by zero
ALPHA, BETA, GAMMA, DELTA = (
    0.85,
    0.2,
    0.6,
    0.75,
)  # METEOR's parameters: recall, fragments, their penalty, content words
STAGES = np.array(
    [1.0, 0.6, 0.8, 0.6]
)  # what a match is worth: the same word, stem, synonym, paraphrase
METEOR_COUNTS = 23  # numbers in a line of METEOR's statistics


@dataclass(frozen=True)
class Bleu:
    """BLEU of n-grams up to `order`.

    `counts` [images, 2 order + 2]: matches of each length, guesses of each length, words said, words of the closest reference.
    """

    kind: ClassVar[str] = "bleu"
    counts: NDArray[np.int32]
    order: int

    def each(self) -> Floats:
        """Return the BLEU of each image alone, as the scorer does."""
        return self.resampled().formula(self.counts.astype(np.float64))

    def resampled(self) -> Sums:
        """Return the counts of each image."""
        return Sums(self.counts.astype(np.float64), bleu)


@dataclass(frozen=True)
class Meteor:
    """METEOR. `counts` [images, 23] as its program prints them: lengths, function words, matches by stage and kind, fragments, matches."""

    kind: ClassVar[str] = "meteor"
    counts: NDArray[np.int32]

    def each(self) -> Floats:
        """Return the METEOR of each image alone."""
        return meteor(self._added())

    def resampled(self) -> Sums:
        """Return the counts of each image."""
        return Sums(self._added(), meteor)

    def _added(self) -> Floats:
        """Return what each image adds: a caption that is its reference, word for word, adds no fragment, as in METEOR's program."""
        counts = self.counts.astype(np.float64)
        whole = (
            (counts[:, 20] == 1) & (counts[:, 21] == counts[:, 0]) & (counts[:, 22] == counts[:, 1])
        )
        counts[whole, 20] = 0
        return counts


def bleu_counts(parts: Sequence[Mapping[str, Any]], *, order: int) -> NDArray[np.int32]:
    """Return the counts of `Bleu` from what the scorer has cooked of each image (`ctest`, and its closest reference in `closest`)."""
    rows = [
        [*part["correct"][:order], *part["guess"][:order], part["testlen"], part["closest"]]
        for part in parts
    ]
    return np.array(rows, dtype=np.int32)


def bleu(sums: Floats) -> Floats:
    """Return BLEU in percent from summed counts [R, 2 order + 2]."""
    order = sums.shape[1] // 2 - 1
    precisions = (sums[:, :order] + NO_MATCH) / (sums[:, order : 2 * order] + NO_GUESS)
    ratio = (sums[:, -2] + NO_MATCH) / (sums[:, -1] + NO_GUESS)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / ratio))
    return 100 * precisions.prod(axis=1) ** (1 / order) * brevity


def meteor(sums: Floats) -> Floats:
    """Return METEOR in percent from summed counts [R, 23]: each is of the caption first, then of the reference."""
    length, functions = sums[:, 0:2], sums[:, 2:4]
    matches = sums[:, 4:20].reshape(
        -1, 4, 2, 2
    )  # stage, content or function words, caption or reference
    found = np.tensordot(matches, STAGES, axes=(1, 0))
    weighed = DELTA * found[:, 0] + (1 - DELTA) * found[:, 1]
    words = DELTA * (length - functions) + (1 - DELTA) * functions
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = (weighed / words).T
        mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
        scattered = sums[:, 20] / sums[:, 21:23].mean(axis=1)
        return 100 * np.nan_to_num((1 - GAMMA * scattered**BETA) * mean)
