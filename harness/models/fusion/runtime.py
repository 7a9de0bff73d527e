"""A network ready to run: prepacked on its device, with its tokenizer and image transform."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn

from harness.engine.device import Device
from harness.engine.matmul import prepack
from harness.engine.memory import release_freed_memory
from harness.errors import CheckpointError, DataError
from harness.formats.folder import sha256_of
from harness.images import Prepare
from harness.models.fusion.networks import FusionNetwork
from harness.models.fusion.preprocessing import Images, normalise
from harness.models.fusion.resizing import resize
from harness.models.fusion.tokenizer import Tokenizer

# Heads compute in float32, unpacked.
ENCODERS = ("vision_encoder", "visual_encoder", "text_encoder", "text_decoder")
RELEASED_FROM = 2**20  # bytes of tokens; a small model would spend its time on getting pages again
SAMPLED_TEXTS = 500  # texts tokenised to estimate the mean length of all
N = TypeVar("N", bound=FusionNetwork)


@dataclass(frozen=True)
class TextRule:
    """How a protocol reads texts: cleaned and cut after `words`, tokenised and cut again."""

    clean_words: Callable[[str, int], str] | None = None
    words: int = 0
    max_tokens: int | None = None

    def clean(self, text: str) -> str:
        """Return the text that is tokenised."""
        return text if self.clean_words is None else self.clean_words(text, self.words)

    def __str__(self) -> str:
        words = [f"{self.words}-words"] if self.clean_words else []
        tokens = [f"{self.max_tokens}-tokens"] if self.max_tokens else []
        return "|".join(words + tokens)


AS_WRITTEN = TextRule()


class Runtime(Generic[N]):
    """A network on its device; raw texts and prepared images in, tensors out."""

    def __init__(
        self,
        network: N,
        tokenizer: Tokenizer,
        device: Device,
        *,
        differentiable: Sequence[nn.Module] = (),
        tied: Sequence[nn.Module] = (),
    ) -> None:
        """Prepack the network, except its `differentiable` modules; `tied` as `prepack` says.

        Raises CheckpointError for a vocabulary that is not the model's.
        """
        self.tokenizer, self.device, self.network = tokenizer, device, network
        self.side = network.vision.resolution
        if len(tokenizer) != network.text.vocabulary:
            raise CheckpointError(
                f"{tokenizer.path}: has {len(tokenizer)} word pieces, "
                f"but the checkpoint was trained with {network.text.vocabulary}"
            )
        network.eval().requires_grad_(False).to(device.torch)
        for name, part in network.named_children():
            if name in ENCODERS:
                prepack(part, device.storage_dtype, keep=differentiable, tied=tied)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The vocabulary, and the numbers of heads, which no tensor of a file shows."""
        return {"vocabulary_sha256": sha256_of(self.tokenizer.path), **self.network.heads}

    @property
    def prepare(self) -> Prepare:
        """Squash an image to the side R that the model is used at, [R, R, 3]."""
        return partial(resize, side=self.side)

    @property
    def prepare_bilinear(self) -> Prepare:
        """Squash an image in the same way by the bilinear filter, as OVAD's scripts do."""
        return partial(resize, side=self.side, filter=Image.Resampling.BILINEAR)

    def encode_images(self, images: Images) -> Tensor:
        """Return the tokens [M, S, C] of images, a chunk at a time.

        While a GPU encodes a chunk, the bytes of the next are sent.
        """
        step = self.device.chunk_sizes.images_of(self.side)
        chunks = (images[first : first + step] for first in range(0, len(images), step))
        tokens = torch.cat(
            [
                self.network.image_encoder(
                    chunk if isinstance(chunk, Tensor) else normalise(chunk, self.device)
                )
                for chunk in chunks
            ]
        )
        if self.device.torch.type == "cpu" and tokens.nbytes >= RELEASED_FROM:
            # What follows allocates other sizes, beside the memory that the C library keeps.
            release_freed_memory()
        return tokens

    def token_ids(self, texts: Sequence[str], rule: TextRule = AS_WRITTEN) -> list[list[int]]:
        """Return the tokens of each text as the model reads it.

        Raises DataError for a text that is empty after cleaning, or too long for the model.
        """
        positions = self.network.text.positions
        ids = [self._ids(text, rule) for text in texts]
        for text, tokens in zip(texts, ids, strict=True):
            if len(tokens) > positions:
                raise DataError(
                    f"a text has {len(tokens)} tokens, the model reads {positions}: {text!r:.80}..."
                )
        return ids

    def fused_token_ids(self, texts: Sequence[str], rule: TextRule) -> list[list[int]]:
        """Return the tokens of texts that are fused with images; the first one may differ."""
        begin = self.tokenizer.begin_fused
        return [[begin, *ids[1:]] for ids in self.token_ids(texts, rule)]

    def mean_length(self, texts: Sequence[str], rule: TextRule = AS_WRITTEN) -> float:
        """Return the mean number of tokens of texts, from at most SAMPLED_TEXTS, evenly spread."""
        sample = texts[:: max(1, len(texts) // SAMPLED_TEXTS)]
        lengths = [len(self._ids(text, rule)) for text in sample]
        return sum(lengths) / len(lengths) if lengths else 0.0

    def _ids(self, text: str, rule: TextRule) -> list[int]:
        try:
            return self.tokenizer.ids(rule.clean(text), max_tokens=rule.max_tokens)
        except ValueError as error:
            raise DataError(f"the text {text!r} cannot be used: {error}") from error
