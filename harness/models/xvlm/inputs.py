"""What every X-VLM does to texts and images before its network sees them, whatever is asked of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from harness.engine.device import Device
from harness.engine.matmul import settle
from harness.errors import CheckpointError, DataError
from harness.formats.folder import sha256_of
from harness.models.fusion.sizes import TextArchitecture
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.architecture import VisionArchitecture
from harness.models.xvlm.preprocessing import MEAN, STD, resize

COUNTED = 500  # texts whose tokens are counted to tell what all will cost


class Inputs:
    """The vocabulary, the image side and the device of a model; raw texts and prepared images in, tensors out."""

    def __init__(
        self, vision: VisionArchitecture, text: TextArchitecture, vocabulary: Path, device: Device
    ) -> None:
        """Read the vocabulary. Raises CheckpointError where it is none, or not the one that the model was trained with."""
        self.side = vision.resolution
        self.device = device
        self.tokenizer = Tokenizer(vocabulary)
        self._text = text
        if len(self.tokenizer) != text.vocabulary:
            raise CheckpointError(
                f"{vocabulary}: has {len(self.tokenizer)} pieces, but the checkpoint was trained with {text.vocabulary}"
            )

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The vocabulary, and the one size that tensors do not warn: with others, the same weights say something else."""
        return {"vocabulary_sha256": sha256_of(self.tokenizer.path), "text_heads": self._text.heads}

    def placed(self, network: nn.Module) -> Any:
        """Return a network ready to answer, on the device."""
        network = network.eval().requires_grad_(False).to(self.device.torch)
        settle(network, self.device.storage_dtype)
        return network

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image squashed to the side that the model was trained at, [R, R, 3]."""
        return resize(image, self.side)

    def prepare_bilinear(self, image: Image.Image) -> NDArray[np.uint8]:
        """The same by another filter: OVAD's script is the only one that resizes with it."""
        return resize(image, self.side, Image.Resampling.BILINEAR)

    def tokens(self, texts: Sequence[str], clean: Callable[[str], str]) -> list[list[int]]:
        """Return the tokens of each text, cleaned. Raises DataError for a text that cannot be asked."""
        tokens = [self.tokenizer.ids(cleaned(text, clean)) for text in texts]
        for text, ids in zip(texts, tokens, strict=True):
            if len(ids) > self._text.positions:
                raise DataError(
                    f"a text has {len(ids)} tokens, the model reads {self._text.positions}: {text!r}"
                )
        return tokens

    def mean_length(
        self,
        texts: Sequence[str],
        clean: Callable[[str], str] | None = None,
        *,
        longest: int | None = None,
    ) -> float:
        """Return the mean number of tokens of texts, cut after `longest`, from at most COUNTED of them, evenly spread."""
        chosen = texts[:: max(1, len(texts) // COUNTED)]
        lengths = [
            len(self.tokenizer.ids(cleaned(text, clean) if clean else text)[:longest])
            for text in chosen
        ]
        return sum(lengths) / len(lengths) if lengths else 0.0

    def normalised(self, images: NDArray[np.uint8]) -> Tensor:
        """Return prepared images as the network wants them, on the device."""
        return normalised(images, self.device)


def normalised(images: NDArray[np.uint8], device: Device) -> Tensor:
    """Return prepared images [M, R, R, 3] as X-VLM wants them, [M, 3, R, R]: bytes travel to the device, float32 is made there."""
    pixels = torch.from_numpy(images).to(device.torch).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values, device=device.torch)[:, None, None] for values in (MEAN, STD))
    return pixels.div_(255).sub_(mean).div_(std)  # in place: of a large batch, these are gigabytes


def cleaned(text: str, clean: Callable[[str], str]) -> str:
    """Return a text cleaned; raises DataError where nothing is left of it."""
    try:
        return clean(text)
    except ValueError as error:
        raise DataError(f"the text {text!r} cannot be asked: {error}") from error
