"""Scores in the precision that ranks them as they were given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
