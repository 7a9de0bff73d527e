"""Statements about pairs of scenes, true or false, as in NLVR2."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.shapes.world.expressions import NOUNS
from harness.shapes.world.scenes import COLOURS, SHAPES, Object, Rng, Scene

NUMBERS = ("no", "one", "two", "three", "four")
SIDES = (("left", 0), ("right", 1))  # names and their indices in a pair


@dataclass(frozen=True)
class Statement:
    """A sentence, and a predicate: whether it is true of a left and a right scene."""

    text: str
    holds: Callable[[Scene, Scene], bool]


def statement(rng: Rng) -> Statement:
    """Return a statement that counts or compares the objects of two scenes."""
    return rng.choice((_one_side, _each_side, _only_one_side, _number_of_objects))(rng)


@dataclass(frozen=True)
class _Noun:
    """A noun phrase without an article, and the objects that it names."""

    text: str
    names: Callable[[Object], bool]

    def count(self, scene: Scene) -> int:
        return sum(map(self.names, scene.objects))


def _noun(rng: Rng) -> _Noun:
    shape, colour = rng.choice(SHAPES), rng.choice(tuple(COLOURS))
    kind = rng.random()
    if kind < 0.4:
        return _Noun(rng.choice(NOUNS[shape]), lambda obj: obj.shape == shape)
    if kind < 0.8:
        return _Noun(f"{colour} object", lambda obj: obj.colour == colour)
    return _Noun(
        f"{colour} {rng.choice(NOUNS[shape])}",
        lambda obj: obj.shape == shape and obj.colour == colour,
    )


def _one_side(rng: Rng) -> Statement:
    noun = _noun(rng)
    side, index = rng.choice(SIDES)
    return Statement(
        f"The {side} image contains a {noun.text}.",
        lambda left, right: noun.count((left, right)[index]) > 0,
    )


def _each_side(rng: Rng) -> Statement:
    noun = _noun(rng)
    return Statement(
        f"Both images contain a {noun.text}.",
        lambda left, right: noun.count(left) > 0 and noun.count(right) > 0,
    )


def _only_one_side(rng: Rng) -> Statement:
    noun = _noun(rng)
    return Statement(
        f"There is a {noun.text} in exactly one image.",
        lambda left, right: (noun.count(left) > 0) != (noun.count(right) > 0),
    )


def _number_of_objects(rng: Rng) -> Statement:
    side, index = rng.choice(SIDES)
    number = rng.choice((2, 3, 4))
    return Statement(
        f"The {side} image has {NUMBERS[number]} objects.",
        lambda left, right: len((left, right)[index].objects) == number,
    )
