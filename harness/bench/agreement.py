"""Compare the results of two implementations: numbers, rankings, decisions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

TOLERANCE = 1e-4  # largest difference in float32, as for the goldens
ROUNDING = 1e-5  # scores closer than this may swap ranks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """The differences between actual and expected results.

    `largest` and `rms` are the largest and the root mean square difference of the numbers, and
    `alike` says whether the decisions are equal. `noise` is `rms` divided by the standard deviation
    of the expected numbers; in rankings, the mean of this ratio over the lists. `shift` is the mean
    number of ranks by which an item of a ranking moved.
    """

    largest: float
    rms: float
    alike: bool
    noise: float | None = None
    shift: float | None = None

    @property
    def agree(self) -> bool:
        """Whether the decisions are equal and all numbers within TOLERANCE."""
        return self.alike and self.largest <= TOLERANCE


def compare_numbers(actual: Tensor, expected: Tensor) -> Agreement:
    """Compare numbers of the same shape."""
    numbers, references = _array(actual), _array(expected)
    alike, noise = actual.shape == expected.shape, _noise(numbers, references)
    return _agreement(numbers, references, alike=alike, noise=noise)


def compare_rankings(actual: Tensor, expected: Tensor) -> Agreement:
    """Compare scores [lists, n] that rank n items each; -inf where an item is not listed.

    Only items that the expected list has are compared. Two rankings are alike if they differ only
    where expected scores are within ROUNDING.
    """
    scores, references = _array(actual), _array(expected)
    listed = np.isfinite(references)
    alike = bool((np.isfinite(scores) >= listed).all())
    noise: list[float] = []
    shift: list[float] = []
    for row, reference, items in zip(scores, references, listed, strict=True):
        row, reference = row[items], reference[items]
        order = np.argsort(-row, kind="stable")
        reference_order = np.argsort(-reference, kind="stable")
        alike &= bool((np.diff(reference[order]) <= ROUNDING).all())
        noise.append(_noise(row, reference))
        moved = np.abs(np.argsort(order) - np.argsort(reference_order))
        shift.append(float(moved.mean()))
    mean_noise, mean_shift = float(np.mean(noise)), float(np.mean(shift))
    return _agreement(
        scores[listed], references[listed], alike=alike, noise=mean_noise, shift=mean_shift
    )


def compare_decisions(
    actual: object, expected: object, *, scores: Tensor, expected_scores: Tensor
) -> Agreement:
    """Compare decisions (answers, tokens), and the scores behind them."""
    return _agreement(_array(scores), _array(expected_scores), alike=actual == expected)


def _agreement(
    actual: Array,
    expected: Array,
    *,
    alike: bool,
    noise: float | None = None,
    shift: float | None = None,
) -> Agreement:
    difference = actual - expected
    return Agreement(float(np.abs(difference).max()), _rms(difference), alike, noise, shift)


def _array(tensor: Tensor) -> Array:
    return tensor.detach().double().cpu().numpy()


def _noise(actual: Array, expected: Array) -> float:
    return _rms(actual - expected) / max(float(expected.std()), ROUNDING)


def _rms(difference: Array) -> float:
    return float(np.sqrt(np.mean(difference**2)))
