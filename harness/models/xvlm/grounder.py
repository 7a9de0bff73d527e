"""X-VLM as a grounder: raw expressions and prepared images in, boxes out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from harness.errors import CheckpointError, DataError
from harness.inference.device import Device
from harness.models.xvlm.checkpoint import Checkpoint, load_grounding
from harness.models.xvlm.heads import GroundingNetwork
from harness.models.xvlm.preprocessing import CAPTION_WORDS, MEAN, STD, pre_caption, resize
from harness.models.xvlm.tokenizer import Tokenizer


class XVLMGrounder:
    """Implements `harness.capabilities.Grounder` for checkpoints with a `bbox_head`."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        self._device = device
        self.network = GroundingNetwork(checkpoint.architecture)
        load_grounding(self.network, checkpoint)
        self.network.eval().requires_grad_(False).to(device.torch)
        vision, text = checkpoint.architecture.vision, checkpoint.architecture.text
        assert vision is not None and text is not None  # GroundingNetwork refuses a checkpoint without one of them
        self.resolution, self.longest = vision.resolution, text.positions
        self.tokenizer = Tokenizer(vocabulary)
        if len(self.tokenizer) != text.vocabulary:
            raise CheckpointError(
                f"{vocabulary}: has {len(self.tokenizer)} pieces, but {checkpoint.path} was trained with {text.vocabulary}"
            )

    @property
    def protocol(self) -> str:
        return f"bbox|{self.resolution}px|bicubic|{CAPTION_WORDS}-words"

    @property
    def device(self) -> str:
        return self._device.kind

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        return resize(image, self.resolution)

    def ground(self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a box (cx, cy, w, h) in 0..1 for each expression; each image is encoded once for all of its expressions."""
        tokens = self.tokenizer.batch([_clean(expression) for expression in expressions])
        if tokens.ids.shape[1] > self.longest:
            raise DataError(
                f"an expression has {tokens.ids.shape[1]} tokens, the model reads {self.longest}: {max(expressions, key=len)!r}"
            )
        row, column = places(image_of)
        ids = torch.zeros(len(images), int(column.max()) + 1, tokens.ids.shape[1], dtype=torch.long)
        present = torch.zeros_like(ids)
        present[:, :, 0] = 1  # a place without an expression still needs a token to attend to
        ids[row, column], present[row, column] = tokens.ids, tokens.present
        with torch.inference_mode(), self._device.precision():
            boxes = self.network(normalised(images, self._device), ids.to(self._device.torch), present.to(self._device.torch))
        return boxes.float().cpu().numpy()[row, column]


def places(image_of: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for texts about images `image_of`, where each stands in a table of images: its image's row, and the next free column."""
    column = np.empty_like(image_of)
    used: dict[int, int] = {}
    for number, image in enumerate(image_of.tolist()):
        column[number] = used.get(image, 0)
        used[image] = used.get(image, 0) + 1
    return image_of, column


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
