"""Models, networks, images and texts for the comparisons."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.bench import inputs
from harness.bench.models import ModelSize, random_model, random_network
from harness.bench.padding import PaddedTexts, pad
from harness.engine.device import Device


class Fixtures:
    """Random models of one size, and inputs for them.

    The models of the last kind only are kept: those of two kinds may not fit in memory.
    """

    def __init__(self, size: ModelSize, device: Device, folder: Path) -> None:
        """Write a vocabulary into `folder`."""
        self.size, self.device, self.vocabulary = size, device, folder / "vocab.txt"
        self.words = inputs.write_vocabulary(self.vocabulary, size.text.vocabulary)
        self._kind, self._model, self._network = "", None, None

    def model(self, kind: str) -> Any:
        """Return the engine's model with random weights."""
        self._select(kind)
        if self._model is None:
            self._model = random_model(kind, self.size, self.vocabulary, self.device)
        return self._model

    def network(self, kind: str) -> Any:
        """Return the network with the same weights for the literal algorithm."""
        self._select(kind)
        if self._network is None:
            self._network = random_network(kind, self.size, self.device)
        return self._network

    def discard_models(self) -> None:
        """Drop the models, so that the next call creates them anew."""
        self._kind, self._model, self._network = "", None, None

    def _select(self, kind: str) -> None:
        if kind != self._kind:
            self.discard_models()
            self._kind = kind

    def images(self, count: int, side: int | None = None) -> Tensor:
        """Return normalised images [count, 3, R, R] on the device."""
        return inputs.images(count, side or self.size.vision.resolution).to(self.device.torch)

    def pixels(self, count: int, side: int | None = None) -> NDArray[np.uint8]:
        """Return images as decoded from files, [count, R, R, 3]."""
        return inputs.pixels(count, side or self.size.vision.resolution)

    def texts(self, count: int, lengths: inputs.TextLengths) -> list[str]:
        """Return texts with the lengths of a benchmark's."""
        return inputs.texts(count, lengths, self.words)

    def pad(self, texts: Sequence[Sequence[int]], *, length: int = 0) -> PaddedTexts:
        """Pad token ids to the longest text, or to `length` if that is more, on the device."""
        padded = pad(texts, length=length)
        return PaddedTexts(*(part.to(self.device.torch) for part in padded))
