"""Scores in the precision that ranks them as they were given, and in the fewest digits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = 9  # that tell any two float32 numbers apart
# The numbers whose digits `shortest_decimals` finds by arithmetic: powers of ten below 10 ** 22 are
# exact in 64 bits, and no decimal of DIGITS lies halfway between two neighbours below 1,000.
SMALLEST, LARGEST = 1e-12, 1e3
POWERS = 10.0 ** np.arange(-12, 4)  # one for each possible number of digits before the point
SCALES = 10.0 ** np.arange(23)
NEAR_TIE = 1e-5  # from halfway between two decimals: a product of 64 bits errs by less


def ranked_alike(scores: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
    """Return scores as float32, in which models compute, unless that changes their order.

    Scores of another origin may need more digits, or a larger range: rounded, two of them would
    become a tie, or infinite.

    >>> ranked_alike(np.array([0.1, 0.2])).dtype, ranked_alike(np.array([0.5, 0.5 + 1e-12])).dtype
    (dtype('float32'), dtype('float64'))
    """
    with np.errstate(over="ignore"):
        rounded = scores.astype(np.float32)
    if len(np.unique(rounded)) < len(np.unique(scores)) or not np.isfinite(rounded).all():
        return scores
    return rounded


def shortest_decimals(scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return each number as the shortest decimal that is the same in its type, as `str` writes it.

    These are the numbers of `[float(str(score)) for score in scores]`, of many float32 in a fifth
    of the time.

    >>> shortest_decimals(np.array([0.1, 1 / 3, -2.5], dtype=np.float32)).tolist()
    [0.1, 0.33333334, -2.5]
    """
    given = scores.ravel()
    if given.dtype != np.float32:
        return np.array([float(str(score)) for score in given]).reshape(scores.shape)
    exact = given.astype(np.float64)
    shortest, size = exact.copy(), np.abs(exact)
    within = (size >= SMALLEST) & (size < LARGEST)
    # The neighbours of a power of two are not equally far, so its nearest decimal may not do.
    within &= np.frexp(size)[0] != 0.5
    by_str = ~within & (exact != 0) & np.isfinite(exact)
    left = np.flatnonzero(within)  # whose decimal may still be shortened
    # Digits behind the point, of DIGITS in all: 0.0123 has one place before its first digit.
    places = DIGITS + 12 - np.searchsorted(POWERS, size[left], side="right")
    while len(left):
        scale = SCALES[places]
        scaled = exact[left] * scale
        whole = np.rint(scaled)
        by_str[left[np.abs(np.abs(scaled - whole) - 0.5) < NEAR_TIE]] = True
        decimals = whole / scale  # two exact numbers: the quotient is the nearest of 64 bits
        same = decimals.astype(np.float32) == given[left]
        shortest[left[same]] = decimals[same]
        shorter = same & (places > 0)  # of a whole number, all digits stay
        left, places = left[shorter], places[shorter] - 1
    for index in np.flatnonzero(by_str).tolist():
        shortest[index] = float(str(given[index]))
    return shortest.reshape(scores.shape)
