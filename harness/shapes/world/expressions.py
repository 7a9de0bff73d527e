"""Referring expressions: what tells one object of a scene from the others, in words, as RefCOCO+ asks for it: never by its place."""

from itertools import combinations

from harness.shapes.world.scenes import Dice, Object, Scene

ATTRIBUTES = ("size", "fill", "colour", "shape")
EXPRESSIONS = 3  # per object, as in RefCOCO+ (141,564 expressions for 49,856 objects)
WORDIER = 0.35  # how often an expression says more than it needs
ANYTHING = ("one", "thing", "object", "shape")
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
    """Return different expressions, each of which fits `target` and nothing else in the scene; `seed` decides among the many."""
    dice = Dice(f"expressions:{seed}")
    telling = _telling(scene, target)
    fewest = min(map(len, telling))
    found: list[str] = []
    for _ in range(10 * EXPRESSIONS):
        wanted = (
            telling
            if dice.share() < WORDIER
            else [names for names in telling if len(names) == fewest]
        )
        text = _say(target, dice.pick(wanted), dice)
        if text not in found:
            found.append(text)
        if len(found) == EXPRESSIONS:
            break
    return found


def _telling(scene: Scene, target: Object) -> list[tuple[str, ...]]:
    """Return the sets of attributes that no other object of the scene shares with the target."""
    others = [thing for thing in scene.objects if thing is not target]
    return [
        names
        for count in range(1, len(ATTRIBUTES) + 1)
        for names in combinations(ATTRIBUTES, count)
        if all(
            any(getattr(other, name) != getattr(target, name) for name in names) for other in others
        )
    ]


def _say(target: Object, names: tuple[str, ...], dice: Dice) -> str:
    """Put the named attributes of the target into words: before the noun, or the fill behind it."""
    before = [dice.pick(BEFORE_NOUN[target.size])] if "size" in names else []
    after: list[str] = []
    if "fill" in names and target.fill in AFTER_NOUN and dice.share() < 0.3:
        after = [dice.pick(AFTER_NOUN[target.fill])]
    elif "fill" in names:
        before.append(dice.pick(BEFORE_NOUN[target.fill]))
    if "colour" in names:
        before.append(target.colour)
    noun = dice.pick(NOUNS[target.shape]) if "shape" in names else dice.pick(ANYTHING)
    article = ["the"] if dice.share() < 0.4 else []
    return " ".join(article + before + [noun] + after)
