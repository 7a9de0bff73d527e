"""Captions of whole scenes, as in COCO and Flickr30K, and noun phrases for single objects."""

from collections.abc import Sequence

from harness.shapes.world.expressions import AFTER_NOUN, BEFORE_NOUN, BEHIND_NOUN, NOUNS
from harness.shapes.world.scenes import Object, Rng, Scene

CAPTIONS = 5  # per image
MOST_OBJECTS = 3  # per caption
CONJUNCTIONS = ("and", "next to", "with")
OPENINGS = ("", "", "there is ", "an image of ")
BACKGROUND_PHRASES = ("on a {} background", "in front of a {} wall")


def captions(scene: Scene, *, seed: str) -> list[str]:
    """Return five captions: up to three objects in random order, each with most attributes."""
    rng = Rng(f"captions:{seed}")
    return [_caption(scene, rng) for _ in range(CAPTIONS)]


def phrase(obj: Object, rng: Rng, *, mention: float) -> str:
    """Return a noun phrase that names size, fill and colour with the probability `mention` each."""
    words: list[str] = []
    after = ""
    if rng.random() < mention:
        words.append(rng.choice(BEFORE_NOUN[obj.size]))
    if rng.random() < mention:
        if obj.fill in AFTER_NOUN and rng.random() < BEHIND_NOUN:
            after = f" {rng.choice(AFTER_NOUN[obj.fill])}"
        else:
            words.append(rng.choice(BEFORE_NOUN[obj.fill]))
    if rng.random() < mention:
        words.append(obj.colour)
    return f"a {' '.join([*words, rng.choice(NOUNS[obj.shape])])}{after}"


def _caption(scene: Scene, rng: Rng) -> str:
    objects = _shuffled(scene.objects, rng)[:MOST_OBJECTS]
    phrases = [phrase(obj, rng, mention=0.75) for obj in objects]
    opening, conjunction = rng.choice(OPENINGS), rng.choice(CONJUNCTIONS)
    text = f"{opening}{f' {conjunction} '.join(phrases)}"
    if rng.random() < 0.5:
        text += f" {rng.choice(BACKGROUND_PHRASES).format(scene.background)}"
    return f"{text[0].upper()}{text[1:]}."


def _shuffled(objects: Sequence[Object], rng: Rng) -> list[Object]:
    remaining = list(objects)
    return [remaining.pop(rng.below(len(remaining))) for _ in objects]
