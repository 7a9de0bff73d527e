"""Fingerprints of the inputs of single samples, beside their predictions.

A fingerprint has three parts: the bytes of the image files (with the regions that are shown), the
pixels as the model prepared them, and the texts. A replaced picture changes the first two, another
resize the second only. Each part is a CRC-32: cheap beside the decoding of a picture, and blind to
one change in four thousand million. In a prediction file a fingerprint is a text of 24 hexadecimal
digits, in the file of sample scores a row of three numbers.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.records.id_column import ABSENT, IdColumn

PARTS = ("files", "pixels", "texts")
BYTES = 4 * len(PARTS)
DIGITS = 2 * BYTES


class Fingerprint(NamedTuple):
    """The parts of a sample's fingerprint, 32 bits each."""

    files: int
    pixels: int
    texts: int

    def to_text(self) -> str:
        """Return the fingerprint as hexadecimal digits."""
        return f"{self.files:08x}{self.pixels:08x}{self.texts:08x}"


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


class Fingerprints(Mapping[Any, str]):
    """Fingerprints by the ids of their samples: as texts, or as an array of many.

    Those of `ids` are kept in rows of 12 bytes, an eighth of the memory of texts; `update` adds
    others.
    """

    def __init__(
        self,
        ids: IdColumn | None = None,
        content: bytes | bytearray = b"",
        known: bytes | None = None,
    ) -> None:
        """Keep the bytes of each row's fingerprint; `known` has a 0 for each row without one."""
        self._ids = IdColumn([]) if ids is None else ids
        self._content, self._known = content, known
        self._later: dict[Any, str] = {}

    def update(self, texts: Iterable[tuple[Any, str]]) -> None:
        """Add fingerprints of other samples."""
        self._later.update(texts)

    def __getitem__(self, id: Any) -> str:
        if (text := self._later.get(id)) is not None:
            return text
        if (row := self._row(id)) == ABSENT:
            raise KeyError(id)
        return self._content[BYTES * row : BYTES * (row + 1)].hex()

    def __contains__(self, id: object) -> bool:
        return id in self._later or self._row(id) != ABSENT

    def __len__(self) -> int:
        rows = len(self._ids) if self._known is None else sum(self._known)
        return rows + len(self._later)

    def __iter__(self) -> Iterator[Any]:
        known = self._known
        yield from (id for row, id in enumerate(self._ids) if known is None or known[row])
        yield from self._later

    def parts_of(self, ids: Sequence[Any]) -> "Parts":
        """Return the fingerprints of samples as arrays."""
        rows = self._ids.rows(ids)
        known = rows != ABSENT
        if self._known is not None:
            known &= np.frombuffer(self._known, dtype=np.bool_)[rows]
        parts = np.zeros((len(ids), len(PARTS)), dtype=np.uint32)
        content = np.frombuffer(self._content, dtype=">u4").reshape(-1, len(PARTS))
        parts[known] = content[rows[known]]
        if self._later:
            texts = [self._later.get(id) for id in ids]
            later = np.array([text is not None for text in texts], dtype=np.bool_)
            parts[later], known = to_array(texts)[later], known | later
        return Parts(parts, known)

    def _row(self, id: Any) -> int:
        row = self._ids.row(id)
        return row if self._known is None or (row != ABSENT and self._known[row]) else ABSENT


class Parts(NamedTuple):
    """Fingerprints of n samples as numbers [n, 3], and whether each is known [n], else zeros."""

    numbers: NDArray[np.uint32]
    known: NDArray[np.bool_]
