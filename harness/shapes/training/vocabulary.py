"""The WordPiece vocabulary of the embedded model: the benchmark's words, and single characters."""

import string
from collections.abc import Iterable, Mapping, Sequence

from harness.shapes.world.expressions import AFTER_NOUN, BEFORE_NOUN, GENERIC_NOUNS, NOUNS
from harness.shapes.world.scenes import BACKGROUNDS, COLOURS

# Words of captions, questions, answers, statements and prompts; a test finds missing ones.
FURTHER = (
    "an and are background balls both boxes circles color contain contains crosses diamonds discs "
    "does exactly four front has have how image images in is left many next no objects of on other "
    "pattern picture pluses right shape squares stars stripes there three to triangles two wall "
    "what with yes"
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary() -> list[str]:
    """Return the pieces in the order of their ids."""
    characters = string.ascii_lowercase + string.digits
    return [
        *SPECIAL,
        *characters,
        *(f"##{character}" for character in characters),
        *sorted(_words()),
    ]


def _words() -> set[str]:
    phrases = [
        *_phrases(BEFORE_NOUN),
        *_phrases(AFTER_NOUN),
        *_phrases(NOUNS),
        *GENERIC_NOUNS,
        *COLOURS,
        *BACKGROUNDS,
        FURTHER,
        "the",
        "a",
    ]
    return {word for phrase in phrases for word in phrase.split() if len(word) > 1}


def _phrases(synonyms: Mapping[str, Sequence[str]]) -> Iterable[str]:
    return (phrase for phrases in synonyms.values() for phrase in phrases)
