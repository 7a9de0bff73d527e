"""Get released weights from Google Drive, which hands out large files only to clients like `gdown`; without one, say how."""

from pathlib import Path, PurePosixPath
from typing import Any

from harness.checkpoints import Release
from harness.errors import DataError, HarnessError, MissingError

ADDRESS = "https://drive.google.com/drive/folders/"
HEADS = (
    b"PK\x03\x04",
    b"\x80\x02",
)  # how files of `torch.save` begin: a zip archive, or a pickle as older versions wrote


def fetch_weights(release: Release, path: Path, *, title: str) -> str:
    """Get a weight file to `path` and return a sentence on it.

    Raises MissingError where there is no `gdown`, saying what to get by hand; HarnessError where Google Drive does not hand it out, as it
    does when many asked before; DataError where something else came than weights.
    """
    by_hand = f"{path}: missing a checkpoint of {title}; get {release.path} from Google Drive ({ADDRESS}{release.drive}) and put it there"
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
    except Exception as error:  # gdown raises what its libraries raise
        raise HarnessError(
            f"{by_hand}; gdown could not: {' '.join(str(error).split())[:200]}"
        ) from error
    if not partial.is_file() or not _head(partial).startswith(HEADS):
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{by_hand}; Google Drive sent no weights, perhaps a page that says that too many asked"
        )
    partial.replace(path)
    return f"{path}: fetched"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _file_id(gdown: Any, release: Release) -> str:
    """Return the id of a file: `drive` is its own, or that of the folder which holds it."""
    try:
        listed = gdown.download_folder(id=release.drive, skip_download=True, quiet=True)
    except Exception:  # an id that is no folder's; whether it is a file's shows when it is fetched
        return str(release.drive)
    name = PurePosixPath(release.path).name
    for file in listed or ():
        if PurePosixPath(file.path).name == name:
            return str(file.id)
    raise MissingError(f"Google Drive, folder {release.drive}: holds no {name}")
