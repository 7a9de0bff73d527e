"""What the contests of a bench work with: models and networks of the same random weights, images, texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.bench import inputs
from harness.bench.models import Size, random_model, random_network
from harness.engine.device import Device


class Lab:
    """Models and texts to work with. One kind of model is kept, the last."""

    def __init__(self, size: Size, device: Device, folder: Path) -> None:
        """Write a vocabulary into `folder`."""
        self.size, self.device, self._vocabulary = size, device, folder / "vocab.txt"
        self.words = inputs.write_vocabulary(self._vocabulary, size.text.vocabulary)
        self._kind, self._model, self._network = "", None, None

    def model(self, kind: str) -> Any:
        """Return a model with random weights."""
        self._keep(kind)
        if self._model is None:
            self._model = random_model(kind, self.size, self._vocabulary, self.device)
        return self._model

    def network(self, kind: str) -> Any:
        """Return the network of the same weights that the literal algorithm works with."""
        self._keep(kind)
        if self._network is None:
            self._network = random_network(kind, self.size, self.device)
        return self._network

    def forget(self) -> None:
        """Forget what is kept: it was changed."""
        self._kind, self._model, self._network = "", None, None

    def _keep(self, kind: str) -> None:
        if kind != self._kind:
            self.forget()  # before the next ones are made: two kinds may not fit
            self._kind = kind

    def images(self, count: int, side: int | None = None) -> Tensor:
        return inputs.images(count, side or self.size.vision.resolution).to(self.device.torch)

    def pixels(self, count: int, side: int | None = None) -> NDArray[np.uint8]:
        """Return images as they come from a file, [count, R, R, 3]."""
        return inputs.pixels(count, side or self.size.vision.resolution)

    def texts(self, count: int, lengths: inputs.Lengths) -> list[str]:
        return inputs.texts(count, lengths, self.words)

    def padded(self, texts: Sequence[Sequence[int]], *, length: int = 0) -> tuple[Tensor, Tensor]:
        """Return texts padded to the longest, or to `length`, on the device: ids and presence [N, T]."""
        longest = max(length, *map(len, texts))
        rows = [[*text, *[0] * (longest - len(text))] for text in texts]
        present = [[1] * len(text) + [0] * (longest - len(text)) for text in texts]
        ids, there = torch.tensor(rows), torch.tensor(present)
        return ids.to(self.device.torch), there.to(self.device.torch)
