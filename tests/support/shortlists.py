"""Which official rankings are certain: torch's topk takes any of several equal candidates."""

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


def ranked_alike(found: np.ndarray, official: np.ndarray, scores: np.ndarray) -> bool:
    """Return whether two rankings [N, k] of candidates differ only among equal ones.

    `scores` [N, M] are the official ones of all candidates, equal as in `cut_within_ties`.
    """
    if found.shape != official.shape or any(len(set(row)) != len(row) for row in found.tolist()):
        return False
    mine, theirs = (np.take_along_axis(scores, ids, axis=1) for ids in (found, official))
    return bool((np.abs(mine - theirs) <= 1e-5 * np.abs(theirs)).all())


def scores_of_ranked(ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return scores [N, M] by candidate from rankings `ids` [N, M] and their scores, best first."""
    by_candidate = np.empty_like(scores)
    np.put_along_axis(by_candidate, ids, scores, axis=1)
    return by_candidate
