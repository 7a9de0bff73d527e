"""Where the images of a benchmark lie, by the names that its annotations give them.

X-VLM's and ALBEF's lists name `val2014/COCO_val2014_000000391895.jpg`, the original files often the
bare file name. Both mean an image in the collection's folder. Any other folder in a name counts:
`a/7.jpg` and `b/7.jpg` are two images, and neither is `val2014/7.jpg`.

A name beyond ASCII has several forms in Unicode: an archive made on macOS holds `ş` as `s` and a
cedilla, another one as a single character. Whichever form lies on disk is found.
"""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from harness.formats.folder import DataFolder, Needed, in_either_form, relative_path_within


@dataclass(frozen=True)
class ImageFolder:
    """The folder of a collection of images, and the folders where other names are looked up.

    `name` is the collection's own folder in annotations, as `val2014`; `bases` are the folders that
    may hold another folder of an annotation, in order.
    """

    path: Path
    name: str
    bases: tuple[Path, ...]
    _folders: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)
    # One path for all samples of an image: parsing 214,354 names of 40,504 images takes seconds.
    _paths: dict[str, Path] = field(default_factory=dict, repr=False, compare=False)

    def relative(self, name: str) -> str:
        """Return the name of an image without the collection's own folder: its id in the data."""
        if "/" not in name or name.startswith("/"):
            return name
        parts = PurePosixPath(name).parts
        return "/".join(parts[1:] if len(parts) > 1 and parts[0] == self.name else parts)

    def full_name(self, name: str) -> str:
        """Return the name of an image with its folder, as X-VLM's lists have it."""
        relative = self.relative(name)
        return relative if "/" in relative else f"{self.name}/{relative}"

    def image(self, name: str, *, where: str) -> Path:
        """Return the path of the image that an annotation names; it need not exist.

        Raises DataError for a name that leaves the folder, and for one that may be two files
        (`in_either_form`); `where` names the annotation.
        """
        if (path := self._paths.get(name)) is None:
            path = self._paths[name] = self._path_of(name, where)
        return path

    def _path_of(self, name: str, where: str) -> Path:
        relative = self.relative(relative_path_within(name, where=where, folder=self.path))
        if relative.startswith("/"):  # allowed by --allow-links
            return Path(relative)
        return in_either_form(relative, self._in_folder, where=where)

    def _in_folder(self, relative: str) -> Path:
        """Return the path of an image by a relative name, in the first folder that exists."""
        folder, _, file = relative.rpartition("/")
        if folder not in self._folders:
            bases = (base for base in self.bases if (base / folder).is_dir())
            self._folders[folder] = next(bases, self.path) / folder if folder else self.path
        return self._folders[folder] / file


def image_folder(data: DataFolder, needed: Needed) -> ImageFolder:
    """Return the folder of the images that a task needs; `needed` recommends it by its own name.

    Another folder in an annotation, as `train2014` in a list of val2014, is looked up inside this
    one, beside it, in `images` and in the data folder.
    """
    path = data.expected_path(needed)
    bases = dict.fromkeys((path, path.parent, data.root / "images", data.root))
    return ImageFolder(path, PurePosixPath(needed.candidates[0]).name, tuple(bases))
