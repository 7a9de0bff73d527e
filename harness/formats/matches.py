"""Store the scored texts of one image as a prediction, and read them back."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import Matches, Ranking
from harness.errors import DataError
from harness.metrics.pairs import PROTOCOLS, ScoredPairs
from harness.metrics.rounding import ranked_alike, shortest_decimals

DEFAULT: Ranking = "itm"  # the ranking of a prediction that names none: X-VLM's
REMEDY = (
    "predictions hold every pair that is on the shortlist of its image or of its text (of another "
    "length, name that as 'shortlist')"
)


def as_prediction(matches: Matches, *, shortlist: int) -> dict[str, Any]:
    """Return matches in JSON's types, a float32 with no more digits than it has.

    A prediction names its `ranking` unless it is X-VLM's, and the length of its shortlist unless it
    is the task's, `shortlist`. It holds no `itm` if the model has none.
    """
    prediction: dict[str, Any] = {
        "texts": matches.texts.tolist(),
        "itc": shortest_decimals(matches.itc).tolist(),
    }
    if matches.itm is not None:
        prediction["itm"] = shortest_decimals(matches.itm).tolist()
    if matches.ranking != DEFAULT:
        prediction["ranking"] = matches.ranking
    if matches.shortlist not in (0, shortlist):
        prediction["shortlist"] = matches.shortlist
    return prediction


def ranking_of(predictions: Iterable[tuple[Any, Any]]) -> Ranking:
    """Return the ranking that all predictions, given with the ids of their images, agree on.

    Predictions of no text do not count. Raises DataError where they disagree, or name another.
    """
    ranking, id = _common(predictions, "ranking", DEFAULT)
    if ranking in PROTOCOLS:
        known: Ranking = ranking
        return known
    raise DataError(
        f"the prediction for image {id} is ranked by {ranking!r}, "
        f"not by one of {', '.join(PROTOCOLS)}"
    )


def shortlist_of(predictions: Iterable[tuple[Any, Any]]) -> int | None:
    """Return the length of the shortlist that all predictions agree on; None: the task's own.

    Predictions of no text do not count. Raises DataError where they disagree, or name no number.
    """
    shortlist, id = _common(predictions, "shortlist", None)
    if shortlist is None or (type(shortlist) is int and shortlist > 0):
        return shortlist
    raise DataError(f"the prediction for image {id} has a shortlist of {shortlist!r} texts")


def _common(predictions: Iterable[tuple[Any, Any]], key: str, default: Any) -> tuple[Any, Any]:
    """Return the value of a key that all predictions have, and the id of the first of them."""
    ids: dict[Any, Any] = {}  # by value
    for id, prediction in predictions:
        if isinstance(prediction, Mapping) and prediction.get("texts"):
            value = prediction.get(key, default)
            ids.setdefault(value if isinstance(value, Hashable) else repr(value), id)
    if len(ids) > 1:
        (value, id), (other_value, other_id), *_ = ids.items()
        raise DataError(
            f"the {key} of the prediction for image {id} is {value}, of that for image {other_id} "
            f"{other_value}; predictions of several models cannot be scored together"
        )
    return next(iter(ids.items()), (default, None))


def parse_pairs(
    predictions: Sequence[tuple[Any, Any]], *, texts: int, ranking: Ranking
) -> ScoredPairs:
    """Return the pairs of all images from their (id, prediction), in order.

    `texts` is the number of texts in the gallery. Raises DataError for a malformed prediction,
    naming its image.
    """
    image, text, itc, itm = [], [], [], []
    names = ("itc",) if ranking == "itc" else ("itc", "itm")
    for number, (id, prediction) in enumerate(predictions):
        try:
            row = _numbers(prediction["texts"], "iu").astype(np.int64)
            scores = [_numbers(prediction[name], "iuf").astype(np.float64) for name in names]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the prediction for image {id} should hold texts, whole numbers, and for each of "
                f"them {' and '.join(names)}, numbers"
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
        itm.append(scores[-1])
    return ScoredPairs(
        np.concatenate(image),
        np.concatenate(text),
        ranked_alike(np.concatenate(itc)),
        ranked_alike(np.concatenate(itm)),
    )


def refuse_cut_shortlists(
    pairs: ScoredPairs, ids: Sequence[Any], *, texts: int, shortlist: int
) -> None:
    """Raise DataError where images or texts were compared with fewer than are on a shortlist.

    `ids` are those of the images. An image that was compared with nothing was skipped.
    """
    of_image = np.bincount(pairs.image, minlength=len(ids))
    least = min(shortlist, texts)
    for number in np.flatnonzero((of_image > 0) & (of_image < least))[:1]:
        raise DataError(
            f"the prediction for image {ids[number]} holds {of_image[number]} texts, but the "
            f"shortlist has {least}; {REMEDY}"
        )
    of_text = np.bincount(pairs.text, minlength=texts)
    compared = int(np.count_nonzero(of_image))
    least = min(shortlist, compared)
    if shortlist < compared:
        # Parts of a run on different processors may shortlist either of two images with cosines
        # that differ in their last digit only.
        least -= max(1, least // 100)
    for number in np.flatnonzero(of_text < least)[:1]:
        raise DataError(
            f"text {number} was compared with {of_text[number]} of {compared} images, but its "
            f"shortlist has {min(shortlist, compared)}; {REMEDY}"
        )


def _numbers(values: Any, kinds: str) -> NDArray[Any]:
    """Return a list of numbers as an array of one of the `kinds` of NumPy's types.

    Raises ValueError for anything else.
    """
    array = np.array(values)
    if array.size and array.dtype.kind not in kinds:
        raise ValueError(f"an array of {array.dtype}")
    return array


def _are_distinct(indices: NDArray[np.int64]) -> bool:
    """Return whether no index occurs twice; `run` stores ascending ones, which need no sorting."""
    ascending = bool((indices[1:] > indices[:-1]).all())
    return ascending or len(np.unique(indices)) == len(indices)
