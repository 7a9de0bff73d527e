"""The WordPiece vocabulary of the embedded model: every word that the benchmark says, and letters for every word that it does not."""

import string
from collections.abc import Iterable, Mapping, Sequence

from harness.shapes.expressions import AFTER_NOUN, ANYTHING, BEFORE_NOUN, NOUNS
from harness.shapes.scenes import BACKGROUNDS, COLOURS

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary() -> list[str]:
    """Return the pieces in the order of their ids."""
    characters = string.ascii_lowercase + string.digits
    return [*SPECIAL, *characters, *(f"##{character}" for character in characters), *sorted(_words())]


def _words() -> set[str]:
    phrases = [
        *_phrases(BEFORE_NOUN),
        *_phrases(AFTER_NOUN),
        *_phrases(NOUNS),
        *ANYTHING,
        *COLOURS,
        *BACKGROUNDS,
        "the",
        "a",
    ]
    return {word for phrase in phrases for word in phrase.split() if len(word) > 1}


def _phrases(synonyms: Mapping[str, Sequence[str]]) -> Iterable[str]:
    return (phrase for phrases in synonyms.values() for phrase in phrases)
