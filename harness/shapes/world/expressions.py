"""Referring expressions as in RefCOCO+: each identifies one object, never by its position."""

from collections.abc import Sequence
from itertools import combinations

from harness.shapes.world.scenes import Object, Rng, Scene

ATTRIBUTES = ("size", "fill", "colour", "shape")
EXPRESSIONS = 3  # per object, as in RefCOCO+ (141,564 expressions for 49,856 objects)
REDUNDANT = 0.35  # probability that an expression may name more attributes than it needs
BEHIND_NOUN = 0.3  # probability that a fill follows the noun
ARTICLE = 0.4  # probability that an expression begins with "the"
GENERIC_NOUNS = ("one", "thing", "object", "shape")
BEFORE_NOUN = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "solid": ("solid", "plain", "filled"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "hollow": ("hollow", "empty"),
}
AFTER_NOUN = {
    "striped": ("with stripes", "with dark stripes"),
    "dotted": ("with dots", "with spots"),
    "hollow": ("with a hole", "outline"),
}
NOUNS = {
    "circle": ("circle", "disc", "ball"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "cross": ("cross", "plus"),
    "diamond": ("diamond",),
}


def expressions(scene: Scene, target: Object, *, seed: str) -> list[str]:
    """Return up to three different expressions that match `target` and no other object."""
    rng = Rng(f"expressions:{seed}")
    sufficient = _identifying_attributes(scene, target)
    fewest = min(map(len, sufficient))
    minimal = [names for names in sufficient if len(names) == fewest]
    texts: list[str] = []
    for _ in range(10 * EXPRESSIONS):
        names = rng.choice(sufficient if rng.random() < REDUNDANT else minimal)
        text = _expression(target, names, rng)
        if text not in texts:
            texts.append(text)
        if len(texts) == EXPRESSIONS:
            break
    return texts


def _identifying_attributes(scene: Scene, target: Object) -> list[tuple[str, ...]]:
    """Return every set of attributes whose values no other object of the scene shares."""
    others = [obj for obj in scene.objects if obj is not target]
    return [
        names
        for count in range(1, len(ATTRIBUTES) + 1)
        for names in combinations(ATTRIBUTES, count)
        if all(_differ(target, other, names) for other in others)
    ]


def _differ(target: Object, other: Object, names: Sequence[str]) -> bool:
    return any(getattr(other, name) != getattr(target, name) for name in names)


def _expression(target: Object, names: Sequence[str], rng: Rng) -> str:
    """Return a noun phrase with the named attributes; the fill may follow the noun."""
    before = [rng.choice(BEFORE_NOUN[target.size])] if "size" in names else []
    after: list[str] = []
    if "fill" in names and target.fill in AFTER_NOUN and rng.random() < BEHIND_NOUN:
        after = [rng.choice(AFTER_NOUN[target.fill])]
    elif "fill" in names:
        before.append(rng.choice(BEFORE_NOUN[target.fill]))
    if "colour" in names:
        before.append(target.colour)
    noun = rng.choice(NOUNS[target.shape] if "shape" in names else GENERIC_NOUNS)
    article = ["the"] if rng.random() < ARTICLE else []
    return " ".join(article + before + [noun] + after)
