"""Images as the authors of dual encoders prepare them: by Pillow, in the originals' arithmetic.

The image processors of transformers differ: their centre crop rounds down where torchvision rounds
half to even, which is one pixel off for about a quarter of all sizes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.errors import CheckpointError
from harness.files.parsing import is_number

CONFIG = "preprocessor_config.json"
# Of OpenAI's `clip.load`, for a folder that does not say.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
SIGLIP_MEAN = SIGLIP_STD = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class ImageTransform:
    """How an image becomes pixels [S, S, 3], and those the input of a model.

    side       S, in pixels
    crop       whether the shorter side is resized to S and the centre cropped; otherwise the image
               is squashed to a square
    resample   Pillow's filter
    mean, std  of the channels, after division by 255
    """

    side: int
    crop: bool
    resample: Image.Resampling
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def protocol(self) -> str:
        """The transform in a protocol string."""
        return f"{self.side}px|{self.resample.name.lower()}-{'crop' if self.crop else 'squash'}"

    def __call__(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image as pixels [S, S, 3]."""
        if not self.crop:
            rgb = image.convert("RGB")
            return np.asarray(rgb.resize((self.side, self.side), self.resample))
        width, height = image.size
        if width <= height:
            size = (self.side, int(self.side * height / width))
        else:
            size = (int(self.side * width / height), self.side)
        resized = image.convert("RGB").resize(size, self.resample)
        # torchvision's CenterCrop: `round` rounds half to even.
        left, top = (round((length - self.side) / 2) for length in size)
        return np.asarray(resized.crop((left, top, left + self.side, top + self.side)))


def read_transform(
    config: Mapping[str, Any], *, side: int, siglip: bool, where: str = CONFIG
) -> ImageTransform:
    """Return the transform that a `preprocessor_config.json` describes; `where` names the file.

    `side` is that of the model's configuration. Raises CheckpointError where the file contradicts
    it, and for a step that this transform does not have.
    """
    crop = bool(config.get("do_center_crop", not siglip))
    for key in ("crop_size", "size") if crop else ("size",):
        described = _side(config.get(key))
        if described is not None and described != side:
            raise CheckpointError(
                f"{where}: {key} is {described} px, but the model takes {side} px"
            )
    for key in ("do_resize", "do_rescale", "do_normalize"):
        if config.get(key) is False:
            raise CheckpointError(f"{where}: {key} is false, which is not supported")
    scale = config.get("rescale_factor", 1 / 255)
    if not is_number(scale) or not math.isclose(scale, 1 / 255, rel_tol=1e-4):
        raise CheckpointError(f"{where}: rescale_factor is {scale!r}; only 1/255 is supported")
    resample = config.get("resample", Image.Resampling.BICUBIC)
    if resample not in list(Image.Resampling):
        raise CheckpointError(f"{where}: resample is {resample!r}, which is not a filter of Pillow")
    return ImageTransform(
        side=side,
        crop=crop,
        resample=Image.Resampling(resample),
        mean=_channels(config, "image_mean", SIGLIP_MEAN if siglip else CLIP_MEAN, where),
        std=_channels(config, "image_std", SIGLIP_STD if siglip else CLIP_STD, where),
    )


def _channels(
    config: Mapping[str, Any], key: str, default: tuple[float, ...], where: str
) -> tuple[float, ...]:
    """Return a number for each channel. Raises CheckpointError for anything else, and for 0."""
    numbers = config.get(key, default)
    if not isinstance(numbers, Sequence) or len(numbers) != 3 or not all(map(is_number, numbers)):
        raise CheckpointError(f"{where}: {key} should be three numbers, but is {numbers!r:.80}")
    if key == "image_std" and min(numbers) <= 0:
        raise CheckpointError(f"{where}: image_std should be positive, but is {numbers!r:.80}")
    return tuple(numbers)


def _side(size: Any) -> int | None:
    """Return the side in pixels that any of the forms of `size` names; None for no or another."""
    if isinstance(size, Mapping):
        size = size.get("shortest_edge", size.get("height"))
    return size if isinstance(size, int) else None
