"""Training examples of the embedded model: scenes as tensors, none of them with objects that evaluation shows."""

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

from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.preprocessing import pre_caption, resize
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

LOOKS = (
    SHAPES,
    tuple(COLOURS),
    FILLS,
    tuple(SIZES),
)  # what can be named of an object, in the order of `Object.look`
MOST_OBJECTS = 4


@dataclass(frozen=True)
class Examples:
    """Scenes as tensors: S scenes of at most 4 objects, E expressions in all.

    `images` [S, 3, R, R] bytes; `boxes` [S, 4, 4] as (cx, cy, w, h) in 0..1 and `looks` [S, 4, 4] as indices into LOOKS, of the first
    `objects` [S] objects; `ids` [E, T] are tokens, expression e refers to object `target[e]` of its scene; the expressions of scene s are
    `first[s]` to `first[s + 1]`.
    """

    images: Tensor
    boxes: Tensor
    looks: Tensor
    objects: Tensor
    ids: Tensor
    target: Tensor
    first: Tensor


@dataclass(frozen=True)
class _Example:
    image: NDArray[np.uint8]
    boxes: list[tuple[float, float, float, float]]
    looks: list[tuple[int, ...]]
    texts: list[str]
    targets: list[int]


def training_examples(count: int, *, side: int, tokenizer: Tokenizer) -> Examples:
    """Return `count` scenes to train on."""
    return _stack(_drawn(training_scene, "train", count, side), tokenizer)


def tuning_examples(count: int, *, side: int, tokenizer: Tokenizer) -> Examples:
    """Return `count` unseen scenes to watch the training with; the benchmark's own scenes are others."""
    return _stack(_drawn(evaluation_scene, "tuning", count, side), tokenizer)


def _drawn(draw: Callable[[str], Scene], name: str, count: int, side: int) -> Iterator[_Example]:
    with ProcessPoolExecutor(
        mp_context=get_context("spawn")
    ) as pool:  # a fork of a process in which torch has threads can hang
        seeds = (f"{name}:{number}" for number in range(count))
        yield from pool.map(_example, repeat(draw), seeds, repeat(side), chunksize=100)


def _example(draw: Callable[[str], Scene], seed: str, side: int) -> _Example:
    scene = draw(seed)
    boxes, texts, targets = [], [], []
    for number, thing in enumerate(scene.objects):
        x, y, w, h = thing.box
        boxes.append(
            (
                (x + w / 2) / scene.width,
                (y + h / 2) / scene.height,
                w / scene.width,
                h / scene.height,
            )
        )
        for text in expressions(scene, thing, seed=f"{seed}:{number}"):
            texts.append(pre_caption(text))
            targets.append(number)
    looks = [
        tuple(names.index(name) for names, name in zip(LOOKS, thing.look, strict=True))
        for thing in scene.objects
    ]
    # Through the same file format and transform as at evaluation: what is trained on is what will be seen.
    with Image.open(BytesIO(encode(scene))) as image:
        return _Example(resize(image, side), boxes, looks, texts, targets)


def _stack(examples: Iterator[_Example], tokenizer: Tokenizer) -> Examples:
    drawn = list(examples)
    boxes = torch.zeros(len(drawn), MOST_OBJECTS, 4)
    looks = torch.zeros(len(drawn), MOST_OBJECTS, len(LOOKS), dtype=torch.long)
    for number, example in enumerate(drawn):
        boxes[number, : len(example.boxes)] = torch.tensor(example.boxes)
        looks[number, : len(example.looks)] = torch.tensor(example.looks)
    said = torch.tensor([len(example.texts) for example in drawn])
    return Examples(
        images=torch.from_numpy(np.stack([example.image for example in drawn]))
        .permute(0, 3, 1, 2)
        .contiguous(),
        boxes=boxes,
        looks=looks,
        objects=torch.tensor([len(example.boxes) for example in drawn]),
        ids=tokenizer.batch(list(chain.from_iterable(example.texts for example in drawn))).ids,
        target=torch.tensor(list(chain.from_iterable(example.targets for example in drawn))),
        first=torch.cat([torch.zeros(1, dtype=torch.long), said.cumsum(0)]),
    )
