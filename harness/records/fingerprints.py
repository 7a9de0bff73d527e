"""Fingerprints of the inputs of single samples, beside their predictions.

A fingerprint has three parts: the bytes of the image files (with the regions that are shown), the
pixels as the model prepared them, and the texts. A replaced picture changes the first two, another
resize the second only. Each part is a CRC-32: cheap beside the decoding of a picture, and blind to
one change in four thousand million. In a prediction file a fingerprint is a text of 24 hexadecimal
digits, in the file of sample scores a row of three numbers.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PARTS = ("files", "pixels", "texts")
DIGITS = 8 * len(PARTS)


class Fingerprint(NamedTuple):
    """The parts of a sample's fingerprint, 32 bits each."""

    files: int
    pixels: int
    texts: int

    def to_text(self) -> str:
        """Return the fingerprint as hexadecimal digits."""
        return "".join(f"{part:08x}" for part in self)


def checksum(contents: Iterable[bytes]) -> int:
    """Return the CRC-32 of several contents, each delimited by its length."""
    total = 0
    for content in contents:
        total = zlib.crc32(content, zlib.crc32(len(content).to_bytes(8, "big"), total))
    return total


def canonical(text: str) -> str:
    """Return a fingerprint's text in lower case. Raises ValueError for any other text."""
    digits = bytes.fromhex(text).hex()
    if len(digits) != DIGITS or len(text) != DIGITS:
        raise ValueError(f"no fingerprint: {text!r}")
    return digits


def from_text(text: str) -> Fingerprint:
    """Return the fingerprint that `to_text` wrote. Raises ValueError for any other text."""
    files, pixels, texts = np.frombuffer(bytes.fromhex(canonical(text)), dtype=">u4").tolist()
    return Fingerprint(files, pixels, texts)


def to_array(texts: Sequence[str | None]) -> NDArray[np.uint32]:
    """Return fingerprints as an array [n, 3]; a row of zeros where one is unknown.

    >>> to_array(["000000010000000200000003", None]).tolist()
    [[1, 2, 3], [0, 0, 0]]
    """
    content = bytes.fromhex("".join(text or "0" * DIGITS for text in texts))
    return np.frombuffer(content, dtype=">u4").reshape(-1, len(PARTS)).astype(np.uint32)
