"""Questions about scenes with ten answers each, as VQA v2 has them."""

from dataclasses import dataclass

from harness.shapes.world.expressions import NOUNS
from harness.shapes.world.scenes import (
    BACKGROUNDS,
    COLOURS,
    FILLS,
    SHAPES,
    SIZES,
    Dice,
    Object,
    Scene,
)

PEOPLE = 10
QUESTIONS = 5  # per image
CARELESS = 0.08  # how often a person answers something near instead
PLURALS = {"box": "boxes", "cross": "crosses", "plus": "pluses"}
ANSWERS = (
    "yes",
    "no",
    *map(str, range(5)),
    *COLOURS,
    *SHAPES,
    *FILLS,
    *SIZES,
    *BACKGROUNDS,
)  # what a model may answer


@dataclass(frozen=True)
class Asked:
    """A question, its kinds in VQA's words, and what ten people answered."""

    text: str
    question_type: str
    answer_type: str
    answer: str
    said: tuple[str, ...]


def questions(scene: Scene, *, seed: str) -> list[Asked]:
    """Return different questions about a scene, of all kinds that it allows."""
    dice = Dice(f"questions:{seed}")
    found: dict[str, Asked] = {}
    for _ in range(10 * QUESTIONS):
        asked = dice.pick(
            (_how_many, _is_there, _what_colour, _what_shape, _what_pattern, _which_background)
        )(scene, dice)
        if asked is not None:
            found.setdefault(asked.text, asked)
        if len(found) == QUESTIONS:
            break
    return list(found.values())


def _how_many(scene: Scene, dice: Dice) -> Asked:
    shape = dice.pick(SHAPES) if dice.share() < 0.3 else dice.pick(scene.objects).shape
    count = sum(thing.shape == shape for thing in scene.objects)
    near = [str(number) for number in (count - 1, count + 1) if 0 <= number <= 4]
    noun = dice.pick(NOUNS[shape])
    return _asked(
        f"How many {PLURALS.get(noun, f'{noun}s')} are there?",
        "how many",
        "number",
        str(count),
        near,
        dice,
    )


def _is_there(scene: Scene, dice: Dice) -> Asked:
    thing = dice.pick(scene.objects)
    colour = thing.colour if dice.share() < 0.5 else dice.pick(tuple(COLOURS))
    there = any(other.shape == thing.shape and other.colour == colour for other in scene.objects)
    answer, other = ("yes", "no") if there else ("no", "yes")
    return _asked(
        f"Is there a {colour} {dice.pick(NOUNS[thing.shape])}?",
        "is there a",
        "yes/no",
        answer,
        [other],
        dice,
    )


def _what_colour(scene: Scene, dice: Dice) -> Asked | None:
    thing = _only_one(scene, "shape", dice)
    if thing is None:
        return None
    return _asked(
        f"What color is the {dice.pick(NOUNS[thing.shape])}?",
        "what color is the",
        "other",
        thing.colour,
        list(COLOURS),
        dice,
    )


def _what_shape(scene: Scene, dice: Dice) -> Asked | None:
    thing = _only_one(scene, "colour", dice)
    if thing is None:
        return None
    return _asked(
        f"What shape is the {thing.colour} object?",
        "what",
        "other",
        thing.shape,
        list(SHAPES),
        dice,
    )


def _what_pattern(scene: Scene, dice: Dice) -> Asked | None:
    thing = _only_one(scene, "shape", dice)
    if thing is None:
        return None
    return _asked(
        f"What pattern does the {dice.pick(NOUNS[thing.shape])} have?",
        "what",
        "other",
        thing.fill,
        list(FILLS),
        dice,
    )


def _which_background(scene: Scene, dice: Dice) -> Asked:
    return _asked(
        "What color is the background?",
        "what color is the",
        "other",
        scene.background,
        list(BACKGROUNDS),
        dice,
    )


def _only_one(scene: Scene, name: str, dice: Dice) -> Object | None:
    """Return an object whose shape (or colour) no other object has, if there is one."""
    values = [getattr(thing, name) for thing in scene.objects]
    single = [thing for thing in scene.objects if values.count(getattr(thing, name)) == 1]
    return dice.pick(single) if single else None


def _asked(
    text: str, question_type: str, answer_type: str, answer: str, near: list[str], dice: Dice
) -> Asked:
    """Return a question that ten people answered: most rightly, some carelessly."""
    others = [word for word in near if word != answer]
    said = tuple(dice.pick(others) if dice.share() < CARELESS else answer for _ in range(PEOPLE))
    return Asked(text, question_type, answer_type, answer, said)
