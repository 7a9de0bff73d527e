"""Predictions and truths that a user passes in: refused unless they are what a metric expects.

Nothing is guessed: a number in place of a text would never match, a group without items would
never be found. Each function raises ValueError with the place and the value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from harness.metrics.grounding import Box

FIRST = 80  # characters of a value that a message shows


def check_lengths(*columns: Sequence[Any] | NDArray[Any] | None) -> None:
    """Raise ValueError for columns of different lengths, or without samples; None is no column.

    >>> check_lengths(["a", "b"], None, ["c"])
    Traceback (most recent call last):
    ValueError: the sequences have different lengths: [1, 2]
    """
    lengths = {len(column) for column in columns if column is not None}
    if len(lengths) != 1:
        raise ValueError(f"the sequences have different lengths: {sorted(lengths)}")
    if lengths == {0}:
        raise ValueError("no sample to score")


def check_texts(name: str, values: Sequence[Any]) -> None:
    """Raise ValueError for a value that is not a text.

    >>> check_texts("predictions", ["two", 2])
    Traceback (most recent call last):
    ValueError: predictions[1] should be a text, but is 2
    """
    for number, value in enumerate(values):
        if not isinstance(value, str):
            raise _unexpected(f"{name}[{number}]", "a text", value)


def check_text_lists(name: str, groups: Sequence[Any]) -> None:
    """Raise ValueError for a group that is empty, a text, or not made of texts.

    The letters of a text would be the items. A mapping stands for its `answer`.

    >>> check_text_lists("answers", [["yes", "no"], "yes"])
    Traceback (most recent call last):
    ValueError: answers[1] should be a list of at least one, but is 'yes'
    """
    for number, group in enumerate(groups):
        if isinstance(group, str) or not hasattr(group, "__len__") or not len(group):
            raise _unexpected(f"{name}[{number}]", "a list of at least one", group)
        texts = [item.get("answer") if isinstance(item, Mapping) else item for item in group]
        check_texts(f"{name}[{number}]", texts)


def boxes_of(name: str, values: Sequence[Any]) -> list[Box]:
    """Return boxes (x, y, width, height). Raises ValueError for what is not four numbers.

    >>> boxes_of("predicted", [(0, 0, 10)])
    Traceback (most recent call last):
    ValueError: predicted[0] should be four numbers (x, y, width, height), but is (0, 0, 10)
    """
    boxes = []
    for number, value in enumerate(values):
        try:
            boxes.append(Box(*map(float, value)))
        except (TypeError, ValueError):
            expected = "four numbers (x, y, width, height)"
            raise _unexpected(f"{name}[{number}]", expected, value) from None
    return boxes


def counts_of(name: str, values: Sequence[Any]) -> list[int]:
    """Return how many of something there are, at least one each; 2.0 and a tensor of 2 are 2.

    >>> counts_of("captions", [5, 5.0]), counts_of("captions", [0])
    Traceback (most recent call last):
    ValueError: captions[0] should be a whole number from 1 up, but is 0
    """
    counts = []
    for number, value in enumerate(values):
        try:
            count = int(value)
        except (TypeError, ValueError, OverflowError):
            count = 0
        if count < 1 or count != value:
            raise _unexpected(f"{name}[{number}]", "a whole number from 1 up", value)
        counts.append(count)
    return counts


def verdicts_of(name: str, values: Sequence[Any]) -> list[bool]:
    """Return verdicts as they are stored; `bool` would take the text "False" for true.

    >>> verdicts_of("predictions", [1, False])
    [True, False]
    """
    for number, value in enumerate(values):
        if value not in (0, 1):
            raise _unexpected(f"{name}[{number}]", "true or false", value)
    return list(map(bool, values))


def _unexpected(place: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"{place} should be {expected}, but is {value!r:.{FIRST}}")
