"""Training scenes for the heads: what they look like as tensors, and the scenes themselves to speak about."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from harness.models.xvlm.preprocessing import MEAN, STD, resize
from harness.shapes.storage import encode
from harness.shapes.world.scenes import Dice, Object, Scene, evaluation_scene, training_scene


@dataclass(frozen=True)
class Scenery:
    """S scenes: their images [S, 3, R, R] bytes, and of each one object alone, its crop [S, 3, R, R] resized as OVAD's script does."""

    scenes: tuple[Scene, ...]
    images: Tensor
    crops: Tensor
    cropped: tuple[Object, ...]


def training_scenery(count: int, *, side: int) -> Scenery:
    """Return scenes to train on; none of them has the objects of a scene that is evaluated on."""
    return _stacked(_drawn("heads", count, side, held_out=False))


def tuning_scenery(count: int, *, side: int) -> Scenery:
    """Return unseen scenes to watch the training with; the benchmark's own are others."""
    return _stacked(_drawn("heads-tuning", count, side, held_out=True))


def normalised(images: Tensor) -> Tensor:
    """Return images [B, 3, R, R] of bytes as the network wants them."""
    mean, std = (
        torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD)
    )
    return (images.float() / 255 - mean) / std


@dataclass(frozen=True)
class _Drawn:
    scene: Scene
    image: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    cropped: Object


def _drawn(name: str, count: int, side: int, *, held_out: bool) -> Iterator[_Drawn]:
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        seeds = [f"{name}:{number}" for number in range(count)]
        yield from pool.map(_draw, seeds, [side] * count, [held_out] * count, chunksize=100)


def _draw(seed: str, side: int, held_out: bool) -> _Drawn:
    scene = evaluation_scene(seed) if held_out else training_scene(seed)
    thing = Dice(f"crop:{seed}").pick(scene.objects)
    x, y, w, h = thing.box
    # Through the same file format and transform as at evaluation: what is trained on is what will be seen.
    with Image.open(BytesIO(encode(scene))) as image:
        crop = resize(image.crop((x, y, x + w, y + h)), side, Image.Resampling.BILINEAR)
        return _Drawn(scene, resize(image, side), crop, thing)


def _stacked(drawn: Iterator[_Drawn]) -> Scenery:
    everything = list(drawn)

    def stacked(arrays: list[NDArray[np.uint8]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()

    return Scenery(
        scenes=tuple(item.scene for item in everything),
        images=stacked([item.image for item in everything]),
        crops=stacked([item.crop for item in everything]),
        cropped=tuple(item.cropped for item in everything),
    )
