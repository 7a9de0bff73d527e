"""Take the wanted members out of a zip archive that may be damaged or hostile."""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from harness.callbacks import Report
from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.formats.folder import relative_path_within

# What zipfile raises for a damaged archive. It checks each member's CRC, and reads no more of a
# member than its declared size.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError
)  # fmt: skip


def unpacked_size(archive: Path, members: Mapping[str, str]) -> int:
    """Return the declared size of the wanted members, in bytes. Raises what `unpack` raises."""
    with _open(archive) as file:
        return sum(info.file_size for info in _select(archive, file, members).values())


def unpack(
    archive: Path, folder: Path, members: Mapping[str, str], *, limit: int | None, report: Report
) -> None:
    """Write the wanted members below `folder`; files of the right size are not written again.

    `members` maps a path in the archive (a folder ends in `/`) to a path below `folder`. Raises
    DataError for an archive that is damaged, lacks a member, holds a link or a path out of its
    folder, or declares more than `limit` bytes; of the last four, nothing is written.
    """
    with _open(archive) as file:
        selected = _select(archive, file, members)
        total, done = sum(info.file_size for info in selected.values()), 0
        if limit is not None and total > limit:
            raise DataError(
                f"{archive}: declares {total:,} bytes, more than the {limit:,} "
                "of the published archive"
            )
        for place, info in selected.items():
            path = folder / place
            if not path.is_file() or path.stat().st_size != info.file_size:
                _extract(archive, file, info, path)
            done += info.file_size
            report(done, total)


def _select(
    archive: Path, file: zipfile.ZipFile, members: Mapping[str, str]
) -> dict[str, zipfile.ZipInfo]:
    """Return the wanted members by their paths below the folder to write."""
    selected: dict[str, zipfile.ZipInfo] = {}
    missing = set(members)
    for info in file.infolist():
        for member, place in members.items():
            below = info.filename.removeprefix(member)
            if info.is_dir():
                continue
            if member.endswith("/") and below != info.filename:
                path = f"{place}/{relative_path_within(below, where=str(archive), folder=place)}"
            elif f"/{info.filename}".endswith(f"/{member}"):  # a file, in any folder
                path = place
            else:
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                raise DataError(f"{archive}: {info.filename!r} is a link; do not trust the archive")
            if path in selected:
                raise DataError(f"{archive}: holds {info.filename!r} twice")
            selected[path] = info
            missing.discard(member)
    if missing:
        raise DataError(f"{archive}: holds no {', '.join(sorted(missing))}")
    return selected


def _extract(archive: Path, file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    try:
        with replacing(path) as temporary, file.open(info) as source, temporary.open("wb") as out:
            shutil.copyfileobj(source, out)
    except DAMAGED as error:
        raise DataError(f"{archive}: {info.filename} cannot be unpacked ({error})") from error
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); run the same command to resume"
        ) from error


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (*DAMAGED, OSError) as error:
        raise DataError(f"{archive}: is not a readable zip archive ({error})") from error
