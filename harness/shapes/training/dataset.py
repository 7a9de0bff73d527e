"""Rendered scenes to train and to validate the heads on: pixels, and the scenes themselves."""

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

from harness.models.fusion.preprocessing import MEAN, STD
from harness.models.fusion.resizing import resize
from harness.shapes.storage import encode
from harness.shapes.world.scenes import Object, Rng, Scene, evaluation_scene, training_scene


@dataclass(frozen=True)
class RenderedDataset:
    """S scenes and their pixels at resolution R.

    `images` `[S, 3, R, R]` are bytes; `crops` `[S, 3, R, R]` show one object per scene, `cropped`,
    resized as in OVAD's script.
    """

    scenes: tuple[Scene, ...]
    images: Tensor
    crops: Tensor
    cropped: tuple[Object, ...]


def training_dataset(count: int, *, side: int) -> RenderedDataset:
    """Return `count` training scenes, with combinations of objects that evaluation never shows."""
    return _stacked(_rendered("heads", count, side, held_out=False))


def tuning_dataset(count: int, *, side: int) -> RenderedDataset:
    """Return `count` scenes to validate on; the scenes of the benchmark are others."""
    return _stacked(_rendered("heads-tuning", count, side, held_out=True))


def normalised(images: Tensor) -> Tensor:
    """Return images `[B, 3, R, R]` of bytes as normalised floats, the input of the network."""
    mean, std = (
        torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD)
    )
    return (images.float() / 255 - mean) / std


@dataclass(frozen=True)
class _Rendered:
    scene: Scene
    image: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    cropped: Object


def _rendered(name: str, count: int, side: int, *, held_out: bool) -> Iterator[_Rendered]:
    # Spawned processes: a fork of a process with torch's threads can deadlock.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        seeds = [f"{name}:{number}" for number in range(count)]
        yield from pool.map(_render, seeds, [side] * count, [held_out] * count, chunksize=100)


def _render(seed: str, side: int, held_out: bool) -> _Rendered:
    scene = evaluation_scene(seed) if held_out else training_scene(seed)
    obj = Rng(f"crop:{seed}").choice(scene.objects)
    x, y, w, h = obj.box
    # The same file format and transform as in evaluation.
    with Image.open(BytesIO(encode(scene))) as image:
        crop = resize(image.crop((x, y, x + w, y + h)), side, Image.Resampling.BILINEAR)
        return _Rendered(scene, resize(image, side), crop, obj)


def _stacked(rendered: Iterator[_Rendered]) -> RenderedDataset:
    items = list(rendered)

    def stacked(arrays: list[NDArray[np.uint8]]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()

    return RenderedDataset(
        scenes=tuple(item.scene for item in items),
        images=stacked([item.image for item in items]),
        crops=stacked([item.crop for item in items]),
        cropped=tuple(item.cropped for item in items),
    )
