"""What is said of whole scenes: captions, as COCO and Flickr30K have them, and phrases for single objects."""

from collections.abc import Sequence

from harness.shapes.world.expressions import AFTER_NOUN, BEFORE_NOUN, NOUNS
from harness.shapes.world.scenes import Dice, Object, Scene

CAPTIONS = 5  # per image
AND = ("and", "next to", "with")
BEGINNINGS = ("", "", "there is ", "an image of ")
GROUND = ("on a {} background", "in front of a {} wall")


def captions(scene: Scene, *, seed: str) -> list[str]:
    """Return five captions of a scene: most of its objects, in any order, each with most of what can be said of it."""
    dice = Dice(f"captions:{seed}")
    return [_caption(scene, dice) for _ in range(CAPTIONS)]


def phrase(thing: Object, dice: Dice, *, sayings: float) -> str:
    """Return a noun phrase for an object; each of size, fill and colour is said with the probability `sayings`."""
    words: list[str] = []
    after = ""
    if dice.share() < sayings:
        words.append(dice.pick(BEFORE_NOUN[thing.size]))
    if dice.share() < sayings:
        if thing.fill in AFTER_NOUN and dice.share() < 0.3:
            after = f" {dice.pick(AFTER_NOUN[thing.fill])}"
        else:
            words.append(dice.pick(BEFORE_NOUN[thing.fill]))
    if dice.share() < sayings:
        words.append(thing.colour)
    return f"a {' '.join([*words, dice.pick(NOUNS[thing.shape])])}{after}"


def _caption(scene: Scene, dice: Dice) -> str:
    things = _shuffled(scene.objects, dice)
    if len(things) > 3:
        things = things[:3]
    parts = [phrase(thing, dice, sayings=0.75) for thing in things]
    said = f"{dice.pick(BEGINNINGS)}{f' {dice.pick(AND)} '.join(parts)}"
    if dice.share() < 0.5:
        said += f" {dice.pick(GROUND).format(scene.background)}"
    return f"{said[0].upper()}{said[1:]}."


def _shuffled(things: Sequence[Object], dice: Dice) -> list[Object]:
    left = list(things)
    return [left.pop(int(dice.share() * len(left))) for _ in things]
