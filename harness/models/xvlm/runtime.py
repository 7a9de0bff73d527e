"""A network ready to run: prepacked on its device, with its tokenizer and image transform."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from harness.engine.device import Device
from harness.engine.matmul import prepack
from harness.engine.memory import release_freed_memory
from harness.errors import CheckpointError, DataError
from harness.formats.folder import sha256_of
from harness.images import Prepare
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.preprocessing import Images, normalise, resize
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
)
from harness.workload import MemoryBudget

ENCODERS = ("vision_encoder", "text_encoder", "text_decoder")  # heads compute in float32, unpacked
SAMPLED_TEXTS = 500  # texts tokenised to estimate the mean length of all
N = TypeVar(
    "N", GroundingNetwork, RetrievalNetwork, AnsweringNetwork, PairNetwork, CaptioningNetwork
)


class Interface(NamedTuple):
    """What every adapter offers beside its capability (`harness.capabilities.Model`)."""

    device: str
    provenance: Mapping[str, Any]
    prepare: Prepare
    memory_budget: Callable[[], MemoryBudget]


class Runtime(Generic[N]):
    """A network on its device; raw texts and prepared images in, tensors out."""

    def __init__(
        self,
        network: N,
        vocabulary: Path,
        device: Device,
        *,
        differentiable: Sequence[nn.Module] = (),
    ) -> None:
        """Read the vocabulary and prepack the network, except its `differentiable` modules.

        Raises CheckpointError for a file that is no vocabulary, or not the model's.
        """
        self.tokenizer = Tokenizer(vocabulary)
        self.device = device
        self.side = network.architecture.vision.resolution
        self._text = network.architecture.text
        if len(self.tokenizer) != self._text.vocabulary:
            raise CheckpointError(
                f"{vocabulary}: has {len(self.tokenizer)} word pieces, "
                f"but the checkpoint was trained with {self._text.vocabulary}"
            )
        self.network: N = network
        network.eval().requires_grad_(False).to(device.torch)
        for name, part in network.named_children():
            if name in ENCODERS:
                prepack(part, device.storage_dtype, keep=differentiable)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The vocabulary, and the number of heads: the one size that no tensor of a file shows."""
        return {"vocabulary_sha256": sha256_of(self.tokenizer.path), "text_heads": self._text.heads}

    @property
    def interface(self) -> Interface:
        """The attributes that all adapters have in common, for images resized by BICUBIC."""
        return Interface(self.device.name, self.provenance, self.prepare, self.device.memory_budget)

    @property
    def prepare(self) -> Prepare:
        """Squash an image to the side R that the model was trained at, [R, R, 3]."""
        return partial(resize, side=self.side)

    @property
    def prepare_bilinear(self) -> Prepare:
        """Do the same by another filter: only OVAD's script resizes with it."""
        return partial(resize, side=self.side, filter=Image.Resampling.BILINEAR)

    def normalise(self, images: NDArray[np.uint8]) -> Tensor:
        """Return prepared images [M, R, R, 3] as the vision encoder takes them, on the device."""
        return normalise(images, self.device)

    def encode_images(self, images: Images) -> Tensor:
        """Return the tokens [M, S, C] of images, a chunk at a time.

        While a GPU encodes a chunk, the bytes of the next are sent.
        """
        encoder = self.network.vision_encoder
        patches = self.network.architecture.vision.stage_side(0) ** 2
        step = max(1, self.device.chunk_sizes.image_patches // patches)
        chunks = (images[first : first + step] for first in range(0, len(images), step))
        tokens = torch.cat(
            [
                encoder(chunk if isinstance(chunk, Tensor) else self.normalise(chunk))
                for chunk in chunks
            ]
        )
        if self.device.torch.type == "cpu":
            # What follows allocates other sizes, beside the memory that the C library keeps.
            release_freed_memory()
        return tokens

    def token_ids(
        self,
        texts: Sequence[str],
        clean: Callable[[str], str] | None = None,
        *,
        max_tokens: int | None = None,
    ) -> list[list[int]]:
        """Return the tokens of each text, cleaned, and cut after `max_tokens`.

        Raises DataError for a text that is empty after cleaning, or too long for the model.
        """
        ids = [self._ids(text, clean)[:max_tokens] for text in texts]
        for text, tokens in zip(texts, ids, strict=True):
            if len(tokens) > self._text.positions:
                raise DataError(
                    f"a text has {len(tokens)} tokens, "
                    f"the model reads {self._text.positions}: {text!r}"
                )
        return ids

    def mean_length(
        self,
        texts: Sequence[str],
        clean: Callable[[str], str] | None = None,
        *,
        max_tokens: int | None = None,
    ) -> float:
        """Return the mean number of tokens of texts, from at most SAMPLED_TEXTS, evenly spread."""
        sample = texts[:: max(1, len(texts) // SAMPLED_TEXTS)]
        lengths = [len(self._ids(text, clean)[:max_tokens]) for text in sample]
        return sum(lengths) / len(lengths) if lengths else 0.0

    def _ids(self, text: str, clean: Callable[[str], str] | None) -> list[int]:
        try:
            return self.tokenizer.ids(clean(text) if clean else text)
        except ValueError as error:
            raise DataError(f"the text {text!r} cannot be used: {error}") from error
