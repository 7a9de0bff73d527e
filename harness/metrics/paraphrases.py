"""METEOR's paraphrases, reduced to those that some texts can use.

The table of English has 5.3 million entries, of which METEOR's program builds a graph in memory:
ten seconds of a processor and half a gigabyte. An entry is used only where the words of one of its
two phrases follow each other in a caption, and those of the other in a reference (METEOR 1.5,
`ParaphraseMatcher`), so that an entry with a word of no text changes nothing. METEOR comes with a
program for this (`FilterParaphrase`), which loads the whole table.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import compress, islice
from pathlib import Path

from harness.metrics.paraphrase_index import (
    UnusableIndexError,
    index_of,
    lines_from_index,
    write_index,
)
from harness.metrics.paraphrase_table import (
    GZIP,
    PART,
    PHRASES,
    SEPARATORS,
    OtherFormError,
    damaged,
    phrase_lines,
    words_of_phrase,
)

LONGEST = 32  # parts of a word; a longer one is a sign that this is not text
NO_PARAPHRASES = gzip.compress(b"", mtime=0)


def words_of(texts: Iterable[str]) -> frozenset[bytes] | None:
    """Return all words that METEOR can find in texts, by their ASCII letters and digits alone.

    METEOR splits words at other characters, so that any of their parts may be a word. None where a
    word has more than LONGEST parts.

    >>> sorted(words_of(["a half-pipe"]))
    [b'a', b'half', b'halfpipe', b'pipe']
    """
    words: set[bytes] = set()
    pieces = {piece for text in texts for piece in re.split(rb"[ \t\n\r\f]+", _lower(text))}
    for piece in pieces:
        parts = PART.findall(piece)
        if len(parts) > LONGEST:
            return None
        for start in range(len(parts)):
            for end in range(start + 1, len(parts) + 1):
                words.add(b"".join(parts[start:end]))
    return frozenset(words)


def paraphrases_of(words: frozenset[bytes], table: Path) -> bytes | None:
    """Return the entries of a table whose phrases consist of `words`, in its order, compressed.

    They come from the table's index in the cache, which the first call writes. A cache that cannot
    be written costs time alone. None where the table has another form than the one of METEOR 1.5,
    and is to be taken whole. Raises HarnessError where it cannot be read.
    """
    try:
        index = index_of(table)
    except OSError as error:
        raise damaged(table, error) from error
    try:
        return _compressed(words, lines_from_index(index, words))
    except UnusableIndexError:
        pass
    try:
        try:
            write_index(index, table)
            return _compressed(words, lines_from_index(index, words))
        except (OSError, UnusableIndexError):
            return _compressed(words, phrase_lines(table))
    except OtherFormError:
        return None


def _compressed(words: frozenset[bytes], lines: Iterable[bytes]) -> bytes:
    """Compress entries as they are found: those of many captions take a gigabyte as lines."""
    compressor, compressed = zlib.compressobj(1, zlib.DEFLATED, GZIP), list[bytes]()
    entries = _entries(words, lines)
    while some := b"".join(islice(entries, 1000)):
        compressed.append(compressor.compress(some))
    return b"".join([*compressed, compressor.flush()])


def _entries(words: frozenset[bytes], lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the entries of each line that consist of `words`, with 0 as the ignored probability."""
    for line in lines:
        phrase, _, paraphrases = line.partition(PHRASES)
        if words.issuperset(words_of_phrase(phrase)):
            plain = paraphrases.translate(None, SEPARATORS).split(PHRASES)
            fit = map(words.issuperset, map(bytes.split, plain))
            for paraphrase in compress(paraphrases.split(PHRASES), fit):
                yield b"0\n%b\n%b\n" % (phrase, paraphrase)


def _lower(text: str) -> bytes:
    return text.lower().encode("utf-8", "replace")
