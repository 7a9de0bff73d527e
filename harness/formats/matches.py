"""Store the scored texts of one image as a prediction, and read them back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import Matches
from harness.errors import DataError
from harness.metrics.pairs import ScoredPairs
from harness.metrics.rounding import ranked_alike


def as_prediction(matches: Matches) -> dict[str, list[Any]]:
    """Return matches in JSON's types; `str` writes a float32 with no more digits than it has."""
    return {
        "texts": matches.texts.tolist(),
        "itc": [float(str(score)) for score in matches.itc],
        "itm": [float(str(score)) for score in matches.itm],
    }


def parse_pairs(predictions: Sequence[tuple[Any, Any]], *, texts: int) -> ScoredPairs:
    """Return the pairs of all images from their (id, prediction), in order.

    `texts` is the number of texts in the gallery. Raises DataError for a malformed prediction,
    naming its image.
    """
    image, text, itc, itm = [], [], [], []
    for number, (id, prediction) in enumerate(predictions):
        try:
            row = np.array(prediction["texts"], dtype=np.int64)
            scores = [np.array(prediction[name], dtype=np.float64) for name in ("itc", "itm")]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"the prediction for image {id} should hold texts, itc and itm"
            ) from error
        same_shape = row.ndim == 1 and all(part.shape == row.shape for part in scores)
        if not same_shape or not _are_distinct(row):
            raise DataError(
                f"the prediction for image {id} does not hold a score for each of its texts"
            )
        if not all(np.isfinite(part).all() for part in scores):
            raise DataError(f"the prediction for image {id} holds a score that is not finite")
        if len(row) and not 0 <= row.min() <= row.max() < texts:
            raise DataError(
                f"the prediction for image {id} holds a text index outside 0..{texts - 1}"
            )
        image.append(np.full(len(row), number))
        text.append(row)
        itc.append(scores[0])
        itm.append(scores[1])
    return ScoredPairs(
        np.concatenate(image),
        np.concatenate(text),
        ranked_alike(np.concatenate(itc)),
        ranked_alike(np.concatenate(itm)),
    )


def _are_distinct(indices: NDArray[np.int64]) -> bool:
    """Return whether no index occurs twice; `run` stores ascending ones, which need no sorting."""
    ascending = bool((indices[1:] > indices[:-1]).all())
    return ascending or len(np.unique(indices)) == len(indices)
