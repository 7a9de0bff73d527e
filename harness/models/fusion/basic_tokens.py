"""Split a text into words as the reference's tokenizer does, by Python's tables of Unicode.

The library `tokenizers` has older tables: of the characters that Python 3.11 knows, it splits 760
otherwise, among them U+2E43 and the ideographs U+2B820 to U+2B91F. The reference is the
`BasicTokenizer` of Hugging Face's `tokenization_bert.py`, of which X-VLM has a copy.
"""

import unicodedata

# Blocks of ideographs, each of which is a word.
IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
ASCII_MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def split_words(text: str) -> list[str]:
    """Return the words of a text, lower-case and without accents; a punctuation mark is a word.

    >>> split_words("Réd cup's \\u2e43")
    ['red', 'cup', "'", 's', '\u2e43']
    """
    cleaned = "".join(map(_cleaned, text))
    words: list[str] = []
    for word in cleaned.split():
        decomposed = unicodedata.normalize("NFD", word.lower())
        plain = (mark for mark in decomposed if unicodedata.category(mark) != "Mn")
        words += "".join(f" {mark} " if _is_punctuation(mark) else mark for mark in plain).split()
    return words


def _cleaned(character: str) -> str:
    """Return a character, a blank for one of white space, nothing for a control character."""
    code, category = ord(character), unicodedata.category(character)
    if character in "\t\n\r" or category == "Zs":
        return " "
    if code in (0, 0xFFFD) or category.startswith("C"):
        return ""
    if any(first <= code <= last for first, last in IDEOGRAPHS):
        return f" {character} "
    return character


def _is_punctuation(character: str) -> bool:
    return character in ASCII_MARKS or unicodedata.category(character).startswith("P")
