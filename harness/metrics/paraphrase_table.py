"""METEOR's table of paraphrases, read phrase by phrase.

The table has three lines an entry: a probability, which METEOR reads and ignores
(`ParaphraseTransducer`), a phrase, and its paraphrase. Entries of equal phrases follow each other.
"""

import re
import zlib
from collections.abc import Iterator
from itertools import chain, compress, count, pairwise
from operator import ne
from pathlib import Path

from harness.errors import HarnessError

GZIP = 16 + zlib.MAX_WBITS  # a header of gzip, and its checksum
CHUNK = 1 << 14  # compressed bytes at a time: their lines stay in the processor's cache
ENTRY = 3  # lines
PHRASES = b"\t"  # between a phrase and each of its paraphrases
SPACES = b" \t\n\r\f"  # Java's StringTokenizer
PART = re.compile(rb"[0-9A-Za-z]+")
# METEOR splits words at characters such as these, and drops dots (`u.s.` is `us`).
SEPARATORS = bytes(byte for byte in range(256) if not PART.match(bytes([byte]))).translate(
    None, SPACES
)


class OtherFormError(Exception):
    """The table has another form than the one of METEOR 1.5."""


def words_of_phrase(phrase: bytes) -> list[bytes]:
    """Return the words of a phrase by their ASCII letters and digits alone.

    >>> words_of_phrase(b"the u.s. , too")
    [b'the', b'us', b'too']
    """
    return phrase.translate(None, SEPARATORS).split()


def phrase_lines(table: Path) -> Iterator[bytes]:
    """Yield each phrase of a table and its paraphrases as a line, in the order of the table.

    A phrase may have several lines that follow each other. Raises OtherFormError where the table
    cannot be read so, HarnessError where it is damaged.
    """
    try:
        for lines in _chunks(table):
            phrases, paraphrases = lines[1::ENTRY], lines[2::ENTRY]
            starts = compress(count(), map(ne, phrases, chain((None,), phrases)))
            for start, end in pairwise(chain(starts, (len(phrases),))):
                yield PHRASES.join((phrases[start], *paraphrases[start:end]))
    except (OSError, zlib.error) as error:
        raise damaged(table, error) from error


def damaged(table: Path, error: Exception) -> HarnessError:
    """Return the error of a table that cannot be read.

    >>> print(damaged(Path("t.gz"), OSError("no such file")))
    t.gz: METEOR's paraphrases cannot be read (no such file); install pycocoevalcap again
    """
    return HarnessError(
        f"{table}: METEOR's paraphrases cannot be read ({error}); install pycocoevalcap again"
    )


def _chunks(table: Path) -> Iterator[list[bytes]]:
    """Yield the lines of a table, whole entries at a time."""
    decompressor, rest = zlib.decompressobj(GZIP), b""
    with table.open("rb") as file:
        while compressed := file.read(CHUNK):
            text = rest + decompressor.decompress(compressed)
            if b"\t" in text or b"\r" in text:  # which end words or lines, for Java
                raise OtherFormError
            lines = text.split(b"\n")
            whole = (len(lines) - 1) // ENTRY * ENTRY
            rest = b"\n".join(lines[whole:])
            yield lines[:whole]
    if rest or not decompressor.eof or decompressor.unused_data:
        raise OtherFormError
