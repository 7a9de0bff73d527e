"""Fetch released weights from Google Drive, which serves large files to clients like `gdown`."""

from pathlib import Path, PurePosixPath
from typing import Any

from harness.checkpoints import Release
from harness.errors import DataError, HarnessError, MissingError

ADDRESS = "https://drive.google.com/drive/folders/"
# How files of `torch.save` begin: a zip archive, or a pickle of older versions.
HEADS = (b"PK\x03\x04", b"\x80\x02")


def fetch_weights(release: Release, path: Path, *, title: str) -> str:
    """Fetch a weight file to `path`; returns a sentence about it.

    Raises MissingError without `gdown`, naming what to get by hand; HarnessError if Google Drive
    refuses, as it does after many requests; DataError if the file received holds no weights.
    """
    by_hand = (
        f"{path}: missing a checkpoint of {title}; get {release.path} from Google Drive "
        f"({ADDRESS}{release.drive}) and put it there"
    )
    try:
        import gdown  # type: ignore[import-not-found]
    except ImportError:
        raise MissingError(f"{by_hand}, or `pip install gdown` and run this again") from None
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        gdown.download(id=_file_id(gdown, release), output=str(partial), quiet=True, resume=True)
    except HarnessError:
        raise
    except Exception as error:  # gdown raises whatever its libraries raise
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"{by_hand}; gdown failed: {reason}") from error
    if not partial.is_file() or not _head(partial).startswith(HEADS):
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{by_hand}; Google Drive sent no weights, perhaps a page about too many requests"
        )
    partial.replace(path)
    return f"{path}: fetched"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _file_id(gdown: Any, release: Release) -> str:
    """Return the id of a file; `release.drive` is this id, or that of the file's folder."""
    try:
        files = gdown.download_folder(id=release.drive, skip_download=True, quiet=True)
    except Exception:  # not a folder's id; whether it is a file's, the download shows
        return str(release.drive)
    name = PurePosixPath(release.path).name
    for file in files or ():
        if PurePosixPath(file.path).name == name:
            return str(file.id)
    raise MissingError(f"Google Drive, folder {release.drive}: holds no {name}")
