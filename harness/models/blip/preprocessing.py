"""BLIP's text cleaning, bit for bit (data/utils.py 10-45); golden `text_cleaning`.

Unlike ALBEF's it keeps commas, apostrophes, question marks, hyphens and slashes.
"""

import re

from harness.models.fusion.preprocessing import collapse_blanks, first_words

_MARKS = re.compile(r"[.!\"()*#:;~]")


def pre_caption(text: str, max_words: int) -> str:
    """Clean a caption or statement: marks become blanks. It may become empty."""
    return first_words(collapse_blanks(_MARKS.sub(" ", text.lower())), max_words)


def pre_question(text: str, max_words: int) -> str:
    """Clean a question: marks are deleted; double blanks remain and count as words."""
    return first_words(_MARKS.sub("", text.lower()).rstrip(" "), max_words)
