"""METEOR's paraphrases by the first word of their phrase, as a file in the cache.

Reading the table takes two to three seconds of a processor, reading here what a few words need a
fifth of one. The file holds the lines of `phrase_lines` in sections of equal first words, in the
order of the table, then the directory of the sections, then a trailer. Its name is the SHA-256 of
its table, so that another table has another index. Each part is checked by its CRC when it is read.
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Set
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from harness.files.atomic import replacing
from harness.files.paths import cache_folder
from harness.metrics.paraphrase_table import PHRASES, phrase_lines, words_of_phrase

FORM = 1  # of the file: raise with any change to what is written
SECTION = b"%d %d %b\n"  # of the directory: bytes of a section, their CRC, the first word
TRAILER = struct.Struct("<QI12s")  # start of the directory, its CRC, and MAGIC
MAGIC = b"paraphrases\n"


class UnusableIndexError(Exception):
    """The index is not there, cannot be read, or is not as it was written."""


def index_of(table: Path) -> Path:
    """Return the path of a table's index in the cache. Raises OSError without the table."""
    with table.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return cache_folder() / "meteor" / f"paraphrases-{FORM}-{digest}.bin"


def write_index(index: Path, table: Path) -> None:
    """Write the index of a table, or nothing on any error.

    Raises OSError where it cannot be written, and as `phrase_lines`.
    """
    directory = bytearray()
    with replacing(index) as temporary, temporary.open("wb") as file:
        for word, lines in groupby(phrase_lines(table), _first_word):
            section = b"\n".join(lines)
            file.write(section)
            directory += SECTION % (len(section), zlib.crc32(section), word)
        trailer = TRAILER.pack(file.tell(), zlib.crc32(directory), MAGIC)
        file.write(directory + trailer)


def lines_from_index(index: Path, words: Set[bytes]) -> Iterator[bytes]:
    """Yield the lines whose first word is one of `words`, or that have none, in the table's order.

    Raises UnusableIndexError, possibly after some lines.
    """
    try:
        with index.open("rb") as file:
            position = 0
            for section in BytesIO(_directory(file)):
                size, crc, word = section[:-1].split(b" ")
                if not word or word in words:
                    file.seek(position)
                    lines = file.read(int(size))
                    if zlib.crc32(lines) != int(crc):
                        raise UnusableIndexError
                    yield from lines.split(b"\n")
                position += int(size)
    except (OSError, ValueError, struct.error) as error:
        raise UnusableIndexError from error


def _directory(file: BinaryIO) -> bytes:
    """Return the directory. Raises UnusableIndexError, OSError, ValueError, struct.error."""
    end = file.seek(-TRAILER.size, os.SEEK_END)
    start, crc, magic = TRAILER.unpack(file.read())
    file.seek(start)
    directory = file.read(max(end - start, 0))
    if magic != MAGIC or zlib.crc32(directory) != crc:
        raise UnusableIndexError
    return directory


def _first_word(line: bytes) -> bytes:
    """Return the first word of a line's phrase, or no bytes for a phrase without words."""
    phrase = line[: line.index(PHRASES)]
    word = phrase.split(b" ", 1)[0]
    if word.isalnum():
        return word
    words = words_of_phrase(phrase)
    return words[0] if words else b""
