"""The world of the embedded benchmark: two to four coloured shapes on a background.

A scene is data, not pixels, and follows from its seed alone, on every machine and Python version. It holds everything that the seven
benchmarks ask:

- RefCOCO+: expressions that fit one object of the scene and no other (`expressions.py`).
- COCO captions, COCO and Flickr30K retrieval: five sentences about shapes, colours, fills, sizes and the background.
- VQAv2: how many, is there, what colour, what shape, what fill, with ten answers each: what `objects` say, and where sizes or colours are
  close to one another, as they are for people, a few that differ.
- NLVR2: statements on two scenes that count and compare their objects; true of some of the four combinations of a pair, false of others.
- OVAD: every object's colour, fill, size and shape are attributes that it has; those of the same kind that it has not are negative, and
  what cannot be told of it (the fill of a small object on a grainy background) is unknown.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Rgb = tuple[int, int, int]

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
SIZES = {
    "small": (0.25, 0.31),
    "large": (0.42, 0.50),
}  # side of an object, as a share of the image's shorter side
BACKGROUNDS: dict[str, Rgb] = {
    "grey": (150, 150, 150),
    "brown": (150, 120, 95),
    "pink": (225, 180, 190),
    "teal": (120, 170, 170),
}
TEXTURES = ("plain", "gradient", "checked", "grainy")
CANVASES = ((160, 120), (120, 160), (176, 112), (144, 144), (112, 152))  # width, height in pixels
OBJECTS = (2, 3, 3, 4)  # how many objects a scene holds, drawn evenly
ECHO = 0.6  # how often an object borrows its shape or colour from another, so that one attribute seldom tells them apart
GAP = 0.02  # free space around an object, as a share of the image's shorter side
HELD_OUT = 8  # one scene in so many is never trained on

T = TypeVar("T")


@dataclass(frozen=True)
class Object:
    """A shape and its box (x, y, width, height) in pixels of the image."""

    shape: str
    colour: str
    fill: str
    size: str
    box: tuple[int, int, int, int]

    @property
    def look(self) -> tuple[str, str, str, str]:
        """What it looks like, wherever it is."""
        return (self.shape, self.colour, self.fill, self.size)


@dataclass(frozen=True)
class Scene:
    """The objects of one image, no two of them alike; `width` and `height` in pixels; `grain` seeds what is random in the background."""

    width: int
    height: int
    background: str
    texture: str
    chunk_sizes: int
    objects: tuple[Object, ...]

    @property
    def held_out(self) -> bool:
        """Whether scenes with these objects, wherever they lie, are kept for evaluation and never trained on."""
        looks = repr(sorted(thing.look for thing in self.objects))
        return hashlib.sha256(looks.encode()).digest()[0] % HELD_OUT == 0


class Dice:
    """Random choices that follow from a seed. Only `random()` is used: the one draw that Python promises never to change."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))

    def share(self) -> float:
        return self._random.random()

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self._random.random() * len(options))]

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()


def evaluation_scene(seed: str) -> Scene:
    """Return the scene of `seed` for evaluation: its combination of objects never occurs in training."""
    return _first(seed, held_out=True)


def training_scene(seed: str) -> Scene:
    """Return the scene of `seed` for training: its combination of objects never occurs in evaluation."""
    return _first(seed, held_out=False)


def _first(seed: str, *, held_out: bool) -> Scene:
    attempt = 0
    while True:
        scene = _scene(Dice(f"scene:{seed}:{attempt}"))
        if scene is not None and scene.held_out == held_out:
            return scene
        attempt += 1


def _scene(dice: Dice) -> Scene | None:
    """Draw a scene; None if its objects find no room."""
    width, height = dice.pick(CANVASES)
    objects: list[Object] = []
    for _ in range(dice.pick(OBJECTS)):
        thing = _object(dice, width, height, objects)
        if thing is None:
            return None
        objects.append(thing)
    return Scene(
        width=width,
        height=height,
        background=dice.pick(tuple(BACKGROUNDS)),
        texture=dice.pick(TEXTURES),
        chunk_sizes=int(dice.share() * 2**31),
        objects=tuple(objects),
    )


def _object(dice: Dice, width: int, height: int, others: list[Object]) -> Object | None:
    """Draw an object unlike the others, in free space; None if there is none."""
    for _ in range(20):
        shape, colour = dice.pick(SHAPES), dice.pick(tuple(COLOURS))
        fill, size = dice.pick(FILLS), dice.pick(tuple(SIZES))
        if others and dice.share() < ECHO:
            other = dice.pick(others)
            shape, colour = (other.shape, colour) if dice.share() < 0.5 else (shape, other.colour)
        side = dice.between(*SIZES[size]) * min(width, height)
        w, h = round(side * dice.between(0.9, 1.1)), round(side * dice.between(0.9, 1.1))
        box = (int(dice.share() * (width - w + 1)), int(dice.share() * (height - h + 1)), w, h)
        thing = Object(shape, colour, fill, size, box)
        gap = GAP * min(width, height)
        if all(thing.look != other.look and _apart(box, other.box, gap) for other in others):
            return thing
    return None


def _apart(box: tuple[int, int, int, int], other: tuple[int, int, int, int], gap: float) -> bool:
    (x, y, w, h), (x2, y2, w2, h2) = box, other
    return x + w + gap <= x2 or x2 + w2 + gap <= x or y + h + gap <= y2 or y2 + h2 + gap <= y
