"""Pictures as thumbnails inside the page, up to a number of images and of bytes."""

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from harness.errors import HarnessError
from harness.images import Region, View, image_file
from harness.report.pictures import open_picture
from harness.sample_view import Picture

LONGEST = 320  # pixels of a thumbnail's longer side
QUALITY = 86  # of JPEG


@dataclass(frozen=True)
class Thumbnail:
    """An embedded picture: its key, its content as `data:` address, and the original's size."""

    key: str
    address: str
    width: int
    height: int


@dataclass
class Thumbnails:
    """The embedded pictures; each file is embedded once.

    `images` and `bytes` limit them; `missing` counts files that cannot be read, by reason.
    """

    images: int
    bytes: int
    used: int = 0
    missing: dict[Path, str] = field(default_factory=dict)
    by_file: dict[tuple[Path, bool], Thumbnail] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether no other picture may be embedded."""
        return len(self.by_file) >= self.images or self.used >= self.bytes

    @staticmethod
    def key_of(view: View) -> tuple[Path, bool]:
        """Return what makes two pictures the same: the file, and whether it is turned upright."""
        return image_file(view), isinstance(view, Region)

    def find(self, picture: Picture) -> Thumbnail | None:
        """Return the thumbnail of a picture if it is embedded."""
        return self.by_file.get(self.key_of(picture.view))

    def embed(self, picture: Picture) -> None:
        """Embed a picture unless it is, the budget is used up, or it cannot be read."""
        key = self.key_of(picture.view)
        if key in self.by_file or key[0] in self.missing or self.full:
            return
        try:
            opened = open_picture(picture, longest=LONGEST)
        except HarnessError as error:
            # A page that is shared names no folder of this machine.
            self.missing[key[0]] = str(error).replace(str(key[0]), key[0].name)
            return
        address = _address(opened.image)
        if self.used + len(address) > self.bytes:
            self.used = self.bytes
            return
        self.used += len(address)
        number = f"i{len(self.by_file)}"
        self.by_file[key] = Thumbnail(number, address, opened.width, opened.height)


def _address(image: Image.Image) -> str:
    """Return a picture as `data:` address, JPEG or PNG, whichever is smaller."""
    contents = []
    for kind, options in (("jpeg", {"quality": QUALITY, "optimize": True}), ("png", {})):
        file = io.BytesIO()
        image.save(file, kind, **options)
        contents.append((len(file.getvalue()), kind, file.getvalue()))
    _, kind, content = min(contents)
    return f"data:image/{kind};base64,{base64.standard_b64encode(content).decode('ascii')}"
