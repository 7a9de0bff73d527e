"""Training examples of grounding: scenes and expressions as tensors."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, repeat
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from harness.models.fusion.resizing import resize
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.preprocessing import pre_caption
from harness.shapes.storage import encode
from harness.shapes.world.expressions import expressions
from harness.shapes.world.scenes import (
    COLOURS,
    FILLS,
    SHAPES,
    SIZES,
    Scene,
    evaluation_scene,
    training_scene,
)

# Values of an object's properties, in the order of `Object.appearance`.
PROPERTIES = (SHAPES, tuple(COLOURS), FILLS, tuple(SIZES))
MOST_OBJECTS = 4  # per scene


@dataclass(frozen=True)
class Examples:
    """S scenes of at most 4 objects and E expressions, as tensors.

    images: bytes, `[S, 3, R, R]`.
    boxes: (cx, cy, w, h) in 0..1, `[S, 4, 4]`; the first `objects` per scene are valid.
    properties: indices into `PROPERTIES`, `[S, 4, 4]`; as `boxes`.
    objects: objects per scene, `[S]`.
    ids: tokens of the expressions, `[E, T]`.
    target: index of the object that an expression refers to, within its scene, `[E]`.
    first: the expressions of scene s are `first[s]` to `first[s + 1]`, `[S + 1]`.
    """

    images: Tensor
    boxes: Tensor
    properties: Tensor
    objects: Tensor
    ids: Tensor
    target: Tensor
    first: Tensor


@dataclass(frozen=True)
class _Example:
    image: NDArray[np.uint8]
    boxes: list[tuple[float, float, float, float]]
    properties: list[tuple[int, ...]]
    texts: list[str]
    targets: list[int]


def training_examples(count: int, *, side: int, tokenizer: Tokenizer) -> Examples:
    """Return `count` training scenes, with combinations of objects that evaluation never shows."""
    return _stacked(_examples(training_scene, "train", count, side), tokenizer)


def tuning_examples(count: int, *, side: int, tokenizer: Tokenizer) -> Examples:
    """Return `count` scenes to validate on; the scenes of the benchmark are others."""
    return _stacked(_examples(evaluation_scene, "tuning", count, side), tokenizer)


def _examples(draw: Callable[[str], Scene], name: str, count: int, side: int) -> Iterator[_Example]:
    # Spawned processes: a fork of a process with torch's threads can deadlock.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        seeds = (f"{name}:{number}" for number in range(count))
        yield from pool.map(_example, repeat(draw), seeds, repeat(side), chunksize=100)


def _example(draw: Callable[[str], Scene], seed: str, side: int) -> _Example:
    scene = draw(seed)
    boxes, texts, targets = [], [], []
    for number, obj in enumerate(scene.objects):
        x, y, w, h = obj.box
        cx, cy = (x + w / 2) / scene.width, (y + h / 2) / scene.height
        boxes.append((cx, cy, w / scene.width, h / scene.height))
        for text in expressions(scene, obj, seed=f"{seed}:{number}"):
            texts.append(pre_caption(text))
            targets.append(number)
    properties = [
        tuple(values.index(value) for values, value in zip(PROPERTIES, obj.appearance, strict=True))
        for obj in scene.objects
    ]
    # The same file format and transform as in evaluation.
    with Image.open(BytesIO(encode(scene))) as image:
        return _Example(resize(image, side), boxes, properties, texts, targets)


def _stacked(examples: Iterator[_Example], tokenizer: Tokenizer) -> Examples:
    items = list(examples)
    boxes = torch.zeros(len(items), MOST_OBJECTS, 4)
    properties = torch.zeros(len(items), MOST_OBJECTS, len(PROPERTIES), dtype=torch.long)
    for number, item in enumerate(items):
        boxes[number, : len(item.boxes)] = torch.tensor(item.boxes)
        properties[number, : len(item.properties)] = torch.tensor(item.properties)
    images = torch.from_numpy(np.stack([item.image for item in items]))
    texts = list(chain.from_iterable(item.texts for item in items))
    targets = list(chain.from_iterable(item.targets for item in items))
    text_counts = torch.tensor([len(item.texts) for item in items])
    return Examples(
        images=images.permute(0, 3, 1, 2).contiguous(),
        boxes=boxes,
        properties=properties,
        objects=torch.tensor([len(item.boxes) for item in items]),
        ids=tokenizer.batch(texts).ids,
        target=torch.tensor(targets),
        first=torch.cat([torch.zeros(1, dtype=torch.long), text_counts.cumsum(0)]),
    )
