"""Which official shortlists are certain: torch's topk takes any of several equal candidates."""

import numpy as np


def cut_within_ties(scores: np.ndarray, k: int) -> np.ndarray:
    """Return for each row of scores [N, M] whether its k best end among equal ones, as bool [N].

    Scores closer than float32 tells apart, a hundred-thousandth of the larger one, are equal.
    """
    if k >= scores.shape[1]:
        return np.zeros(len(scores), dtype=bool)
    descending = -np.sort(-scores, axis=1)
    inside, outside = descending[:, k - 1], descending[:, k]
    return inside - outside <= 1e-5 * np.abs(inside)
