"""The images of own data: shown upright, as people see them, with their sizes.

Cameras store many photos lying on a side, with their orientation as a note in the file (EXIF).
Official evaluations ignore the note; own data has it obeyed, so boxes count in upright pixels.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from harness.formats.folder import in_either_form, relative_path_within
from harness.images import UPRIGHT, Region, View, leads_out, read_head

WORKERS = 8  # threads that read the heads of image files: of a network's disk, they wait


class Shown(NamedTuple):
    """An image as it is shown, and its size in pixels; 0 x 0 where the file cannot be read."""

    view: View
    width: int
    height: int


def shown_images(names: Iterable[tuple[str, str]], folder: Path) -> dict[str, Shown]:
    """Return the images that annotations name, by name.

    `names` are pairs of a name and where it stands; either form of Unicode finds a file. A file
    that is absent or no image is left to the run, which reports or skips it. Raises DataError for a
    name that leaves the folder, and for one that may be two files (`in_either_form`).
    """
    where = {name: place for name, place in reversed(list(names))}
    paths = {
        name: in_either_form(
            relative_path_within(name, where=place, folder=folder), folder.joinpath, where=place
        )
        for name, place in where.items()
    }
    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(paths, pool.map(_shown, paths.values()), strict=True))


def _shown(path: Path) -> Shown:
    """Read the head of an image file: its size and its orientation, no pixel."""
    unknown = Shown(path, 0, 0)
    if not path.is_file() or leads_out(path):
        return unknown
    try:
        head = read_head(path)
    except Exception:  # a damaged file can raise almost anything; the run reports it
        return unknown
    width, height = head.upright
    if head.orientation == UPRIGHT:
        return Shown(path, width, height)
    return Shown(Region(path, (0, 0, width, height)), width, height)
