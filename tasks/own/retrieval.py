"""Retrieval on own data: the protocol of COCO's and Flickr30K's retrieval on one's own gallery."""

from collections.abc import Sequence
from typing import ClassVar

from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.formats.own.entries import read_captioned
from tasks.own.data import OwnData, captioned_images, own_folder
from tasks.retrieval import Picture, Retrieval


class OwnRetrieval(OwnData, Retrieval):
    """Both directions on own data, one sample per image: all images with all captions."""

    name: ClassVar[str] = "own-retrieval"
    version: ClassVar[int] = 1
    weights_of: ClassVar[str] = "coco-retrieval"
    division: ClassVar[str] = ""
    shortlist: ClassVar[int] = 256
    protocol: ClassVar[str] = "itm-only|k=256"
    truth: ClassVar[str] = "captions"

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the gallery. Raises DataError without captions, which are what is retrieved."""
        own = own_folder(data, self)
        entries = read_captioned(own.annotations, kind="retrieval", images=own.root, more=own.more)
        if not entries.truths:
            raise DataError(f"{entries.located[0].where}: has no 'captions' to retrieve")
        return captioned_images(entries, own, Picture)
