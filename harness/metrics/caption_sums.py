"""BLEU and METEOR from the counts that each image adds, to compute them for resampled images.

Both are functions of sums over the whole split, no means over images. Sources: `bleu_scorer.py` of
pycocoevalcap, and METEOR 1.5 (Denkowski & Lavie 2014, parameters for ranking English) from the
statistics that its program prints for each image. Golden `caption_eval`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.statistics.sums import Floats, Sums

NO_MATCH, NO_GUESS = 1e-15, 1e-9  # the scorer adds them against division by zero
# METEOR's parameters: weights of recall, of fragmentation (exponent, penalty), of content words.
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
STAGES = np.array([1.0, 0.6, 0.8, 0.6])  # weights of matches: exact, stem, synonym, paraphrase
METEOR_COUNTS = 23  # numbers in a line of METEOR's statistics


@dataclass(frozen=True)
class Bleu:
    """BLEU of n-grams up to `order`.

    `counts` [images, 2 order + 2]: matched n-grams of each length, n-grams of each length in the
    caption, words of the caption, words of the reference of the closest length.
    """

    kind: ClassVar[str] = "bleu"
    counts: NDArray[np.int32]
    order: int

    def each(self) -> Floats:
        """Return each image's own BLEU in percent, as the scorer does."""
        return self.resampled().formula(self.counts.astype(np.float64))

    def resampled(self) -> Sums:
        """Return the counts of each image."""
        return Sums(self.counts.astype(np.float64), bleu)


@dataclass(frozen=True)
class Meteor:
    """METEOR from `counts` [images, 23] in the order in which its program prints them.

    Lengths, function words, matches by stage and kind of word, fragments, matched words.
    """

    kind: ClassVar[str] = "meteor"
    counts: NDArray[np.int32]

    def each(self) -> Floats:
        """Return each image's own METEOR in percent."""
        return meteor(self._summands())

    def resampled(self) -> Sums:
        """Return the counts of each image."""
        return Sums(self._summands(), meteor)

    def _summands(self) -> Floats:
        """Return the counts with no fragment for a caption equal to its reference, as METEOR."""
        counts = self.counts.astype(np.float64)
        equal = (
            (counts[:, 20] == 1) & (counts[:, 21] == counts[:, 0]) & (counts[:, 22] == counts[:, 1])
        )
        counts[equal, 20] = 0
        return counts


def bleu_counts(images: Sequence[Mapping[str, Any]], *, order: int) -> NDArray[np.int32]:
    """Return the counts of `Bleu` from the scorer's own (`ctest`), plus `closest` per image.

    >>> image = {"correct": [3, 1], "guess": [4, 3], "testlen": 4, "closest": 5}
    >>> bleu_counts([image], order=1)
    array([[3, 4, 4, 5]], dtype=int32)
    """
    rows = [
        [*image["correct"][:order], *image["guess"][:order], image["testlen"], image["closest"]]
        for image in images
    ]
    return np.array(rows, dtype=np.int32)


def bleu(sums: Floats) -> Floats:
    """Return BLEU [R] in percent from summed counts [R, 2 order + 2].

    Three of four words match; the second caption is half as long as its reference (e^-1):

    >>> bleu(np.array([[3.0, 4.0, 4.0, 4.0], [3.0, 4.0, 4.0, 8.0]])).round(2)
    array([75.  , 27.59])
    """
    order = sums.shape[1] // 2 - 1
    precisions = (sums[:, :order] + NO_MATCH) / (sums[:, order : 2 * order] + NO_GUESS)
    ratio = (sums[:, -2] + NO_MATCH) / (sums[:, -1] + NO_GUESS)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / ratio))
    with np.errstate(invalid="ignore"):  # without a match, BLEU has no derivative: NaN
        return 100 * precisions.prod(axis=1) ** (1 / order) * brevity


def meteor(sums: Floats) -> Floats:
    """Return METEOR [R] in percent from summed counts [R, 23], of caption and reference in turn.

    Two content words, both matched exactly, in one fragment of two words: the penalty is
    0.6 (1/2)^0.2; without a fragment it is 0.

    >>> counts = np.zeros((2, METEOR_COUNTS))
    >>> counts[:, [0, 1, 4, 5, 21, 22]], counts[0, 20] = 2, 1
    >>> meteor(counts).round(2)
    array([ 47.77, 100.  ])
    """
    length, functions = sums[:, 0:2], sums[:, 2:4]
    matches = sums[:, 4:20].reshape(-1, 4, 2, 2)  # [R, stage, content/function, caption/reference]
    weighted = np.tensordot(matches, STAGES, axes=(1, 0))
    matched = DELTA * weighted[:, 0] + (1 - DELTA) * weighted[:, 1]
    words = DELTA * (length - functions) + (1 - DELTA) * functions
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = (matched / words).T
        mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
        fragmentation = sums[:, 20] / sums[:, 21:23].mean(axis=1)
        return 100 * np.nan_to_num((1 - GAMMA * fragmentation**BETA) * mean)
