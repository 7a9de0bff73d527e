"""Statements on pairs of scenes, true or false, as NLVR2 has them."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.shapes.world.expressions import NOUNS
from harness.shapes.world.scenes import COLOURS, SHAPES, Dice, Object, Scene

Pair = tuple[Scene, Scene]
NUMBERS = ("no", "one", "two", "three", "four")


@dataclass(frozen=True)
class Statement:
    """A sentence, and what makes it true of a left and a right scene."""

    text: str
    holds: Callable[[Scene, Scene], bool]


def statement(dice: Dice) -> Statement:
    """Return a statement that counts or compares the objects of two scenes."""
    return dice.pick((_one_side, _each_side, _only_one_side, _counted))(dice)


def _thing(dice: Dice) -> tuple[str, Callable[[Object], bool]]:
    """Return a noun phrase without article, and which objects it names."""
    shape, colour = dice.pick(SHAPES), dice.pick(tuple(COLOURS))
    kind = dice.share()
    if kind < 0.4:
        return dice.pick(NOUNS[shape]), lambda thing: thing.shape == shape
    if kind < 0.8:
        return f"{colour} object", lambda thing: thing.colour == colour
    return (
        f"{colour} {dice.pick(NOUNS[shape])}",
        lambda thing: thing.shape == shape and thing.colour == colour,
    )


def _one_side(dice: Dice) -> Statement:
    name, named = _thing(dice)
    side, place = dice.pick((("left", 0), ("right", 1)))
    return Statement(
        f"The {side} image contains a {name}.",
        lambda left, right: _count((left, right)[place], named) > 0,
    )


def _each_side(dice: Dice) -> Statement:
    name, named = _thing(dice)
    return Statement(
        f"Both images contain a {name}.",
        lambda left, right: _count(left, named) > 0 and _count(right, named) > 0,
    )


def _only_one_side(dice: Dice) -> Statement:
    name, named = _thing(dice)
    return Statement(
        f"There is a {name} in exactly one image.",
        lambda left, right: (_count(left, named) > 0) != (_count(right, named) > 0),
    )


def _counted(dice: Dice) -> Statement:
    side, place = dice.pick((("left", 0), ("right", 1)))
    number = dice.pick((2, 3, 4))
    return Statement(
        f"The {side} image has {NUMBERS[number]} objects.",
        lambda left, right: len((left, right)[place].objects) == number,
    )


def _count(scene: Scene, named: Callable[[Object], bool]) -> int:
    return sum(map(named, scene.objects))
