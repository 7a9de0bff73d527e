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
from pathlib import Path

from harness.errors import HarnessError

GZIP = 16 + zlib.MAX_WBITS  # a header of gzip, and its checksum
CHUNK = 1 << 14  # compressed bytes at a time: their lines stay in the processor's cache
ENTRY = 3  # lines: a probability that METEOR ignores, a phrase, its paraphrase
SPACES = b" \t\n\r\f"  # Java's StringTokenizer
PART = re.compile(rb"[0-9A-Za-z]+")
# METEOR splits words at characters such as these, and drops dots (`u.s.` is `us`).
SEPARATORS = bytes(byte for byte in range(256) if not PART.match(bytes([byte]))).translate(
    None, SPACES
)
LONGEST = 32  # parts of a word; a longer one is a sign that this is no text
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

    None where the table has another form than the one of METEOR 1.5, and is to be taken whole.
    Raises HarnessError where it cannot be read.
    """
    # Compressed as they are found: those of many captions take a gigabyte and more as lines.
    compressor, compressed = zlib.compressobj(1, zlib.DEFLATED, GZIP), list[bytes]()
    phrase, fits = b"", False
    try:
        for lines in _chunks(table):
            if len(lines) % ENTRY:
                return None
            kept: list[bytes] = []
            for index in range(1, len(lines), ENTRY):
                if lines[index] != phrase:  # equal ones follow each other
                    phrase = lines[index]
                    fits = words.issuperset(phrase.translate(None, SEPARATORS).split())
                if fits and words.issuperset(lines[index + 1].translate(None, SEPARATORS).split()):
                    kept += lines[index - 1 : index + 2]
            compressed.append(compressor.compress(b"".join(line + b"\n" for line in kept)))
    except (OSError, zlib.error) as error:
        raise HarnessError(
            f"{table}: METEOR's paraphrases cannot be read ({error}); install pycocoevalcap again"
        ) from error
    return b"".join([*compressed, compressor.flush()])


def _lower(text: str) -> bytes:
    return text.lower().encode("utf-8", "replace")


def _chunks(table: Path) -> Iterator[list[bytes]]:
    """Yield the lines of a table, whole entries at a time; what is left over comes last."""
    decompressor, rest = zlib.decompressobj(GZIP), b""
    with table.open("rb") as file:
        while compressed := file.read(CHUNK):
            lines = (rest + decompressor.decompress(compressed)).split(b"\n")
            whole = (len(lines) - 1) // ENTRY * ENTRY
            rest = b"\n".join(lines[whole:])
            yield lines[:whole]
    complete = decompressor.eof and not decompressor.unused_data and not rest
    yield [] if complete else [rest]
