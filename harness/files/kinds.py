"""Recognise a file by its first bytes, whatever its name says, and turn it into bytes or text.

Every reader of a file that a user gives goes through `read_bytes` or `read_text`, or asks
`describe_other_kind` where a library opens the file itself (weights, images). So a Git LFS pointer,
the web page of a download that failed, or an archive is named as such by every reader.
"""

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.files.reads import file_state, note_read

HEAD_BYTES = 1024  # enough for every signature below
MAX_BYTES = 4 * 2**30  # of an annotation or result file; the largest official one has 0.4 GB
GZIP = "gzip"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Kind:
    """A recognised kind of file: its `name`, and a clause that says what it is and the remedy."""

    name: str
    description: str


EMPTY = Kind("empty", "is empty; the download or copy broke off: get it again")
LFS = Kind(
    "lfs",
    "is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository, "
    "or download the file",
)
ANNEX = Kind("annex", "is a git-annex pointer, not the file itself: run `git annex get` on it")
HTML = Kind(
    "html",
    "is an HTML page, not the file itself (a login, an error or Google Drive's quota page): "
    "download it again in a browser",
)
XML = Kind("xml", "is an XML document (a server's error message?): download the file again")
UTF_16 = Kind("utf-16", "is UTF-16 text, not UTF-8: save it as UTF-8")

# Signature at the start of a file -> kind. Sources: the formats' specifications.
SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", Kind(GZIP, "is compressed by gzip: decompress it (gunzip)")),
    (b"BZh", Kind("bzip2", "is compressed by bzip2: decompress it (bunzip2)")),
    (b"\xfd7zXZ\0", Kind("xz", "is compressed by xz: decompress it (unxz)")),
    (b"\x28\xb5\x2f\xfd", Kind("zstd", "is compressed by zstd: decompress it (unzstd)")),
    (b"PK\x03\x04", Kind("zip", "is a zip archive, or a file of PyTorch or NumPy in one")),
    (b"PK\x05\x06", Kind("zip", "is an empty zip archive")),
    (b"7z\xbc\xaf\x27\x1c", Kind("7z", "is a 7z archive: unpack it")),
    (b"Rar!\x1a\x07", Kind("rar", "is a rar archive: unpack it")),
    (b"PAR1", Kind("parquet", "is a parquet table; --data hf:FOLDER reads a folder of them")),
    (b"\x93NUMPY", Kind("numpy", "is a NumPy array (.npy)")),
    (b"\x89HDF\r\n\x1a\n", Kind("hdf5", "is an HDF5 file")),
    (b"%PDF-", Kind("pdf", "is a PDF document")),
    (b"\x89PNG\r\n\x1a\n", Kind("image", "is a PNG image")),
    (b"\xff\xd8\xff", Kind("image", "is a JPEG image")),
    (b"GIF8", Kind("image", "is a GIF image")),
    (b"\xff\xfe\0\0", Kind("utf-32", "is UTF-32 text, not UTF-8: save it as UTF-8")),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"version https://git-lfs.github.com/spec/", LFS),
    (b"/annex/objects/", ANNEX),
)  # fmt: skip
# The first letters of UTF-16 without a byte order mark, of a text that begins in ASCII.
UNMARKED_UTF_16 = re.compile(rb"([\t\n\r -~]\0){4}|(\0[\t\n\r -~]){4}")
TAR = Kind("tar", "is a tar archive: unpack it")
PICKLE = Kind("pickle", "is a pickle")
SAFETENSORS = Kind("safetensors", "is a safetensors file")


def recognise(head: bytes) -> Kind | None:
    """Return the kind of a file by its first HEAD_BYTES; None for text, JSON and unknown kinds."""
    if not head.strip():
        return EMPTY if len(head) < HEAD_BYTES else None
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<!-- ", b"<script")):
        return HTML
    if text.startswith(b"<?xml"):
        return HTML if b"<html" in text else XML
    if head[257:262] == b"ustar":
        return TAR
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return PICKLE
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 2**32:
        return SAFETENSORS
    return UTF_16 if UNMARKED_UTF_16.match(head) else None


def read_head(path: Path) -> bytes:
    """Return the first HEAD_BYTES of a file. Raises DataError if it cannot be read."""
    refuse_irregular(path)
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def describe_other_kind(path: Path, *expected: str) -> str | None:
    """Return `PATH: is an HTML page, ...` for a recognised kind that is not among `expected`.

    `expected` holds names of kinds. Returns None for a file of unknown kind. Raises DataError if
    the file cannot be read.
    """
    kind = recognise(read_head(path))
    return None if kind is None or kind.name in expected else f"{path}: {kind.description}"


def refuse_irregular(path: Path) -> None:
    """Raise DataError if a path is not a regular file: opening a pipe would block for ever."""
    if path.is_file():
        return
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path}: is a link to {path.readlink()}, which does not exist")
    raise DataError(f"{path}: is not a file" if path.exists() else f"{path}: no such file")


def read_bytes(path: Path, *expected: str) -> bytes:
    """Return the content of a file, decompressed if it is gzip, whatever its name.

    `expected` names kinds (of `recognise`) that the reader takes. Raises DataError for any other
    recognised kind, for a file that cannot be read, and for more than MAX_BYTES.
    """
    refuse_irregular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(_too_large(path))
        state, content = file_state(path), path.read_bytes()
        note_read(path, state, content)
        kind = recognise(content[:HEAD_BYTES])
        if kind is not None and kind.name == GZIP:
            with gzip.open(path) as file:
                content = file.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise DataError(_too_large(path))
            kind = recognise(content[:HEAD_BYTES])
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: is damaged ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if kind is not None and kind.name not in expected:
        raise DataError(f"{path}: {kind.description}")
    return content


def read_text(path: Path, *, empty: bool = False) -> str:
    r"""Return the text of a UTF-8 file, without a byte order mark; blank only if `empty`.

    Lines end in "\n", whatever ended them in the file, as in Python's text files. Raises DataError
    as `read_bytes`, and for a file that is not UTF-8.
    """
    content = read_bytes(path, *([EMPTY.name] if empty else []))
    try:
        text = content.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not UTF-8 text (byte {error.start}); "
            "is it the right file, and was it saved as UTF-8?"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _too_large(path: Path) -> str:
    return f"{path}: is larger than {MAX_BYTES / 2**30:.0f} GiB, too large for such a file"
