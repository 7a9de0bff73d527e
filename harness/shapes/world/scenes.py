"""Scenes of the embedded benchmark: two to four coloured shapes on a background.

A scene is data, not pixels. It depends on its seed alone, not on machine or Python version, and
holds the ground truth of all seven benchmarks:

- RefCOCO+: expressions that match exactly one object of the scene (`expressions`).
- COCO captions, COCO and Flickr30K retrieval: five sentences about shapes, colours, fills, sizes
  and the background (`sentences`).
- VQAv2: questions about counts, existence, colours, shapes and fills, with ten answers each, a
  few of them wrong as human answers are (`questions`).
- NLVR2: statements that count and compare the objects of two scenes, true of some image pairs of
  a set and false of others (`statements`).
- OVAD: an object's colour, fill, size and shape are its positive attributes; other values of
  these properties are negative; the fill of a small object on a grainy background is unknown
  (`attributes`).
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Rgb = tuple[int, int, int]
Box = tuple[int, int, int, int]  # x, y, width, height in pixels

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")
COLOURS: dict[str, Rgb] = {
    "red": (214, 39, 40),
    "orange": (255, 140, 20),
    "yellow": (245, 225, 50),
    "green": (44, 150, 60),
    "blue": (40, 90, 220),
    "purple": (135, 60, 175),
    "white": (250, 250, 250),
    "black": (15, 15, 15),
}
FILLS = ("solid", "striped", "dotted", "hollow")
# Range of an object's side, as a fraction of the image's shorter side.
SIZES = {"small": (0.25, 0.31), "large": (0.42, 0.50)}
BACKGROUNDS: dict[str, Rgb] = {
    "grey": (150, 150, 150),
    "brown": (150, 120, 95),
    "pink": (225, 180, 190),
    "teal": (120, 170, 170),
}
TEXTURES = ("plain", "gradient", "checked", "grainy")
CANVASES = ((160, 120), (120, 160), (176, 112), (144, 144), (112, 152))  # width, height in pixels
OBJECT_COUNTS = (2, 3, 3, 4)  # objects per scene, drawn uniformly from this list
# Probability that an object copies the shape or the colour of another one, so that a single
# attribute rarely identifies it.
COPY_PROBABILITY = 0.6
GAP = 0.02  # free margin around an object, as a fraction of the image's shorter side
PLACEMENT_ATTEMPTS = 20  # per object, before the scene is discarded
HELD_OUT = 8  # one of this many combinations of objects is kept for evaluation

T = TypeVar("T")


@dataclass(frozen=True)
class Object:
    """A shape and its bounding box (x, y, width, height) in pixels."""

    shape: str
    colour: str
    fill: str
    size: str
    box: Box

    @property
    def appearance(self) -> tuple[str, str, str, str]:
        """Shape, colour, fill and size: everything but the position."""
        return (self.shape, self.colour, self.fill, self.size)


@dataclass(frozen=True)
class Scene:
    """The objects of one image, all of different appearance; `width` and `height` in pixels.

    `texture_seed` is the source of randomness of the background's texture.
    """

    width: int
    height: int
    background: str
    texture: str
    texture_seed: int
    objects: tuple[Object, ...]

    @property
    def held_out(self) -> bool:
        """Whether this combination of objects, at any position, is reserved for evaluation."""
        appearances = repr(sorted(obj.appearance for obj in self.objects))
        return hashlib.sha256(appearances.encode()).digest()[0] % HELD_OUT == 0


class Rng:
    """A random number generator seeded by a string.

    It relies on `random.Random.random` only, the one method whose sequence Python guarantees.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))

    def random(self) -> float:
        """Return a float in [0, 1)."""
        return self._random.random()

    def below(self, limit: int) -> int:
        """Return an integer in [0, limit)."""
        return int(self._random.random() * limit)

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options, uniformly."""
        return options[self.below(len(options))]

    def uniform(self, low: float, high: float) -> float:
        """Return a float in [low, high)."""
        return low + (high - low) * self._random.random()


def evaluation_scene(seed: str) -> Scene:
    """Return the evaluation scene of `seed`; training never shows its combination of objects."""
    return _first_scene(seed, held_out=True)


def training_scene(seed: str) -> Scene:
    """Return the training scene of `seed`; evaluation never shows its combination of objects."""
    return _first_scene(seed, held_out=False)


def _first_scene(seed: str, *, held_out: bool) -> Scene:
    attempt = 0
    while True:
        scene = _scene(Rng(f"scene:{seed}:{attempt}"))
        if scene is not None and scene.held_out == held_out:
            return scene
        attempt += 1


def _scene(rng: Rng) -> Scene | None:
    """Draw a scene; return None if its objects do not fit."""
    width, height = rng.choice(CANVASES)
    objects: list[Object] = []
    for _ in range(rng.choice(OBJECT_COUNTS)):
        obj = _object(rng, width, height, objects)
        if obj is None:
            return None
        objects.append(obj)
    return Scene(
        width=width,
        height=height,
        background=rng.choice(tuple(BACKGROUNDS)),
        texture=rng.choice(TEXTURES),
        texture_seed=rng.below(2**31),
        objects=tuple(objects),
    )


def _object(rng: Rng, width: int, height: int, others: Sequence[Object]) -> Object | None:
    """Draw an object of a new appearance in free space; return None after too many attempts."""
    colours, sizes, gap = tuple(COLOURS), tuple(SIZES), GAP * min(width, height)
    for _ in range(PLACEMENT_ATTEMPTS):
        shape, colour = rng.choice(SHAPES), rng.choice(colours)
        fill, size = rng.choice(FILLS), rng.choice(sizes)
        if others and rng.random() < COPY_PROBABILITY:
            other = rng.choice(others)
            shape, colour = (other.shape, colour) if rng.random() < 0.5 else (shape, other.colour)
        side = rng.uniform(*SIZES[size]) * min(width, height)
        w, h = round(side * rng.uniform(0.9, 1.1)), round(side * rng.uniform(0.9, 1.1))
        box = (rng.below(width - w + 1), rng.below(height - h + 1), w, h)
        if all(
            (shape, colour, fill, size) != other.appearance and _apart(box, other.box, gap)
            for other in others
        ):
            return Object(shape, colour, fill, size, box)
    return None


def _apart(box: Box, other: Box, gap: float) -> bool:
    (x, y, w, h), (x2, y2, w2, h2) = box, other
    return x + w + gap <= x2 or x2 + w2 + gap <= x or y + h + gap <= y2 or y2 + h2 + gap <= y
