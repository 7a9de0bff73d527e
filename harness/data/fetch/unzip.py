"""Take the wanted members out of a zip archive that may be broken or hostile."""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.callbacks import Report
from harness.errors import DataError, HarnessError

BLOCK = 2**20
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)  # what zipfile makes of one


@dataclass(frozen=True)
class Piece:
    """A member of an archive and where it goes."""

    member: zipfile.ZipInfo
    path: Path


def unpacked_size(archive: Path, members: Mapping[str, str]) -> int:
    """Return how many bytes the wanted members say they have. Raises DataError for an archive that cannot be read."""
    with _opened(archive) as file:
        return sum(piece.member.file_size for piece in _pieces(archive, file, members, Path()))


def unpack(
    archive: Path, folder: Path, members: Mapping[str, str], *, limit: int | None, report: Report
) -> None:
    """Write the wanted members (path in the archive, a folder ending in `/` -> place) below `folder`; what is there whole is left alone.

    Raises DataError for an archive that is broken, lacks a member, names a path outside of its folder, or says that it holds more than
    `limit` bytes: nothing is written then.
    """
    with _opened(archive) as file:
        pieces = list(_pieces(archive, file, members, folder))
        total = sum(piece.member.file_size for piece in pieces)
        if limit is not None and total > limit:
            raise DataError(
                f"{archive}: says that it holds {total:,} bytes, more than the {limit:,} of the published archive"
            )
        done = 0
        for piece in pieces:
            _write(archive, file, piece)
            done += piece.member.file_size
            report(done, total)


def _pieces(
    archive: Path, file: zipfile.ZipFile, members: Mapping[str, str], folder: Path
) -> Iterator[Piece]:
    found: dict[Path, str] = {}
    lacking = set(members)
    for info in file.infolist():
        for name, place in members.items():
            below = _below(info.filename, name)
            if below is None or info.is_dir():
                continue
            path = folder / place / below
            _refuse_unsafe(archive, info, below)
            if path in found:
                raise DataError(f"{archive}: holds {info.filename!r} twice")
            found[path] = info.filename
            lacking.discard(name)
            yield Piece(info, path)
    if lacking:
        raise DataError(f"{archive}: holds no {', '.join(sorted(lacking))}")


def _below(path: str, member: str) -> str | None:
    """Return where a path lies below a member: "" for the member itself, wherever it is in the archive; None for any other."""
    if member.endswith("/"):
        return path.removeprefix(member) if path.startswith(member) else None
    return "" if path == member or path.endswith(f"/{member}") else None


def _refuse_unsafe(archive: Path, info: zipfile.ZipInfo, below: str) -> None:
    parts = PurePosixPath(below).parts
    if below.startswith("/") or ".." in parts or "\\" in below or "\0" in below:
        raise DataError(
            f"{archive}: names the file {info.filename!r}, which leads out of its folder; do not trust this archive"
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DataError(f"{archive}: {info.filename!r} is a link; do not trust this archive")


def _write(archive: Path, file: zipfile.ZipFile, piece: Piece) -> None:
    """Write one member, under another name until it is whole; its checksum is compared as it is read."""
    size = piece.member.file_size
    if piece.path.is_file() and piece.path.stat().st_size == size:
        return
    temporary = piece.path.with_name(f".{piece.path.name}.part")
    try:
        piece.path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as out:
            came = 0
            for block in _read(archive, file, piece):
                came += len(block)
                if came > size:
                    raise DataError(f"{archive}: {piece.member.filename} is larger than it says")
                out.write(block)
        if came != size:
            raise DataError(
                f"{archive}: {piece.member.filename} has {came:,} bytes, not the {size:,} that it says"
            )
        temporary.replace(piece.path)
    except OSError as error:
        raise HarnessError(
            f"{piece.path}: cannot be written ({error.strerror}); run the same command to go on"
        ) from error


def _read(archive: Path, file: zipfile.ZipFile, piece: Piece) -> Iterator[bytes]:
    try:
        with file.open(piece.member) as member:
            while block := member.read(BLOCK):
                yield block
    except BROKEN as error:
        raise DataError(
            f"{archive}: {piece.member.filename} cannot be unpacked ({error})"
        ) from error


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (*BROKEN, OSError) as error:
        raise DataError(f"{archive}: is no zip archive that can be read ({error})") from error
