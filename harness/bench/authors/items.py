"""Samples as the authors' data sets have them: each decodes, resizes and normalises its images."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from harness.images import View, image_file
from harness.models.fusion.preprocessing import MEAN, STD
from harness.models.fusion.resizing import resize

BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


class Outcome(NamedTuple):
    """The predictions by sample id, in JSON's types, and the metrics in percent."""

    predictions: dict[Any, Any]
    metrics: dict[str, float]


class Images(Dataset[list[Tensor]]):
    """The images of each sample, [3, R, R] each, normalised."""

    def __init__(
        self, views: Sequence[Sequence[View]], side: int, filter: Image.Resampling = BICUBIC
    ) -> None:
        """Name the image files of each sample; regions are cut into files of their own before."""
        self.views, self.side, self.filter = views, side, filter
        self.mean, self.std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.views)

    def __getitem__(self, index: int) -> list[Tensor]:
        """Return the images of a sample."""
        return [self._read(image_file(view)) for view in self.views[index]]

    def _read(self, path: Path) -> Tensor:
        """Return an image as torchvision's `ToTensor` and `Normalize` do."""
        with Image.open(path) as image:
            pixels = torch.from_numpy(resize(image, self.side, self.filter))
        numbers = pixels.permute(2, 0, 1).contiguous().float().div(255)
        return numbers.sub_(self.mean).div_(self.std)


def batches(images: Images, size: int) -> Iterator[tuple[range, list[Tensor]]]:
    """Yield the indices of each batch of samples, and their images [N, 3, R, R] by position."""
    loader: DataLoader[list[Tensor]] = DataLoader(images, batch_size=size)
    first = 0
    for batch in loader:
        yield range(first, first + len(batch[0])), list(batch)
        first += len(batch[0])
