"""A dual encoder of transformers as models of `harness.capabilities`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from harness.capabilities import AttributePrompts
from harness.engine.device import Device, float32_context
from harness.engine.shortlist import cosine_similarity
from harness.models.dual.preprocessing import ImageTransform
from harness.models.dual.texts import TextTransform

TEXTS = 256  # encoded at a time


class TransformersDualEncoder:
    """Implements `harness.capabilities.DualEncoder` by the networks of transformers."""

    def __init__(
        self,
        network: nn.Module,
        images: ImageTransform,
        texts: TextTransform,
        device: Device,
        *,
        title: str,
        provenance: Mapping[str, Any],
    ) -> None:
        self.network: Any = network.eval().requires_grad_(False).to(device.torch)
        self._images, self._texts, self._device = images, texts, device
        self.protocol = f"{title}|{images.protocol}|{texts.protocol}"
        self.device, self.provenance = device.name, provenance

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image as pixels [S, S, 3]."""
        return self._images(image)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text as the model reads it."""
        return self._texts(texts)

    def encode_images(self, images: NDArray[np.uint8]) -> Tensor:
        """Return the unit vectors [M, f] of images [M, S, S, 3]."""
        device = self._device
        mean, std = (
            torch.tensor(values, device=device.torch)[:, None, None]
            for values in (self._images.mean, self._images.std)
        )
        with device.computing():
            pixels = torch.from_numpy(images).to(device.torch).permute(0, 3, 1, 2).float()
            pixels = pixels.div_(255).sub_(mean).div_(std)
            return _unit(self.network.get_image_features(pixel_values=pixels), device)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Return the unit vectors [T, f] of texts."""
        features: list[Tensor] = []
        with self._device.computing():
            for first in range(0, len(texts), TEXTS):
                ids = torch.tensor(self._texts(texts[first : first + TEXTS]))
                output = self.network.get_text_features(input_ids=ids.to(self._device.torch))
                features.append(_unit(output, self._device))
            return torch.cat(features) if features else torch.empty(0, 0)


class TransformersAttributeMatcher(TransformersDualEncoder):
    """Implements `harness.capabilities.AttributeMatcher` as OVAD's scripts for CLIP do.

    Each crop is squashed to a square by a bilinear filter, whatever the model's own transform.
    (`ova_clip.py`, `ova_open_clip.py` of OVAD-Benchmark/ovad-benchmark-code.)
    """

    def __init__(
        self,
        network: nn.Module,
        images: ImageTransform,
        texts: TextTransform,
        device: Device,
        *,
        title: str,
        provenance: Mapping[str, Any],
        prompts: AttributePrompts,
    ) -> None:
        squash = replace(images, crop=False, resample=Image.Resampling.BILINEAR)
        super().__init__(network, squash, texts, device, title=title, provenance=provenance)
        self.attribute_prompts = prompts
        # All images of a benchmark are compared with the same sentences.
        self._features = lru_cache(maxsize=4)(self.encode_texts)

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the cosine of each image and sentence, [M, S]."""
        features = self._features(tuple(sentences))
        cosines: NDArray[np.float32] = (
            cosine_similarity(self.encode_images(images), features).cpu().numpy()
        )
        return cosines


def _unit(output: Any, device: Device) -> Tensor:
    """Return projected features [N, f] as unit vectors in float32."""
    features: Tensor = getattr(output, "pooler_output", output)  # a tensor in transformers 4
    with float32_context(device.torch):
        return nn.functional.normalize(features.float(), dim=-1)
