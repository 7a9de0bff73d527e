"""The words of a text that other texts contain too, alone or in n-grams: for highlighting."""

import re
from collections.abc import Iterable, Sequence

ORDERS = 4  # words in a row that count, as in BLEU-4


def levels(text: str, others: Iterable[str]) -> str:
    """Return a digit per word of `text` (split at spaces): the longest n-gram it shares, 0 to 4.

    Case and punctuation do not matter.

    >>> levels("A red circle.", ["there is a red circle", "a square"])
    '333'
    >>> levels("a blue circle", ["a red circle"])
    '101'
    """
    known: list[set[tuple[str, ...]]] = [set() for _ in range(ORDERS)]
    for other in others:
        words = _words(other)
        for order, grams in enumerate(known, 1):
            grams.update(_grams(words, order))
    words = _words(text)
    found = [0] * len(words)
    for order, grams in enumerate(known, 1):
        for start, gram in enumerate(_grams(words, order)):
            if gram in grams and all(gram):
                for index in range(start, start + order):
                    found[index] = order
    return "".join(map(str, found))


def _words(text: str) -> list[str]:
    return [re.sub(r"\W", "", word).lower() for word in text.split(" ")]


def _grams(words: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]
