"""X-VLM as a grounder: raw expressions and prepared images in, boxes out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from harness.errors import CheckpointError, DataError
from harness.inference.device import Device
from harness.models.xvlm.checkpoint import Checkpoint, grounding_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, MEAN, STD, pre_caption, resize
from harness.models.xvlm.tokenizer import Tokenizer
from harness.sources.folder import sha256_of


class XVLMGrounder:
    """Implements `harness.capabilities.Grounder` for checkpoints with a `bbox_head`."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        self._device = device
        self._network = grounding_network(checkpoint).to(device.torch)
        self._sizes = self._network.architecture
        self.tokenizer = Tokenizer(vocabulary)
        if len(self.tokenizer) != self._sizes.text.vocabulary:
            raise CheckpointError(
                f"{vocabulary}: has {len(self.tokenizer)} pieces, but {checkpoint.path} was trained with {self._sizes.text.vocabulary}"
            )

    @property
    def protocol(self) -> str:
        """The head, the resize to the square that the checkpoint was trained at, and how many words are kept of an expression."""
        return f"bbox|{self._sizes.vision.resolution}px|bicubic|{CAPTION_WORDS}-words"

    @property
    def device(self) -> str:
        return self._device.name

    @property
    def made_of(self) -> Mapping[str, Any]:
        """The vocabulary, and the one size that tensors do not tell: with others, the same weights say something else."""
        return {"vocabulary_sha256": sha256_of(self.tokenizer.path), "text_heads": self._sizes.text.heads}

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image as the model wants it, [R, R, 3]."""
        return resize(image, self._sizes.vision.resolution)

    def ground(self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a box (cx, cy, w, h) in 0..1 for each expression; each image is encoded once for all of its expressions."""
        with self._device.computing():
            return self.locate(normalised(images, self._device), expressions, image_of)

    def locate(self, images: torch.Tensor, expressions: Sequence[str], image_of: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the boxes of `ground` for images that are normalised already, [M, 3, R, R]."""
        tokens = self.tokenizer.batch([_clean(expression) for expression in expressions])
        if tokens.ids.shape[1] > self._sizes.text.positions:
            longest = max(expressions, key=len)
            raise DataError(f"an expression has {tokens.ids.shape[1]} tokens, the model reads {self._sizes.text.positions}: {longest!r}")
        seats = seated(image_of)
        ids = torch.zeros(len(images), seats.columns, tokens.ids.shape[1], dtype=torch.long)
        present = torch.zeros_like(ids)
        present[:, :, 0] = 1  # a seat without an expression still needs a token to attend to
        ids[seats.row, seats.column], present[seats.row, seats.column] = tokens.ids, tokens.present
        boxes = self._network(images, ids.to(images.device), present.to(images.device))
        return boxes.float().cpu().numpy()[seats.row, seats.column]


class Seats(NamedTuple):
    """Where each of N texts stands in a table with a row for each image: `row` [N], `column` [N], and how many columns there are."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    columns: int


def seated(image_of: NDArray[np.int64]) -> Seats:
    """Seat texts about images `image_of` [N] in their image's row, from left to right."""
    column = np.empty_like(image_of)
    used: Counter[int] = Counter()
    for number, image in enumerate(image_of.tolist()):
        column[number] = used[image]
        used[image] += 1
    return Seats(image_of, column, max(used.values(), default=0))


def normalised(images: NDArray[np.uint8], device: Device) -> torch.Tensor:
    """Return prepared images [M, R, R, 3] as X-VLM wants them, [M, 3, R, R]: bytes travel to the device, float32 is made there."""
    pixels = torch.from_numpy(images).to(device.torch).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values, device=device.torch)[:, None, None] for values in (MEAN, STD))
    return (pixels - mean) / std


def _clean(expression: str) -> str:
    try:
        return pre_caption(expression)
    except ValueError as error:
        raise DataError(f"the expression {expression!r} cannot be asked: {error}") from error
