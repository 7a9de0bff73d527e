"""Attributes of single objects, with unknowns, as OVAD has them."""

from dataclasses import dataclass

from harness.shapes.world.expressions import BEFORE_NOUN, NOUNS
from harness.shapes.world.scenes import COLOURS, FILLS, SHAPES, SIZES, Object, Scene

UNKNOWN = -1


@dataclass(frozen=True)
class ShapesAttribute:
    """An attribute in OVAD's words, and which value of which property of an object it is."""

    name: str
    is_has_att: str
    freq_set: str
    property: str
    value: str


def attributes() -> list[ShapesAttribute]:
    """Return all attributes: colours, shapes, patterns and sizes, each with its synonyms."""
    return [
        *(ShapesAttribute(f"color:{colour}", "is", "tail", "colour", colour) for colour in COLOURS),
        *(
            ShapesAttribute(f"shape:{'/'.join(NOUNS[shape])}", "is", "medium", "shape", shape)
            for shape in SHAPES
        ),
        *(
            ShapesAttribute(f"pattern:{'/'.join(BEFORE_NOUN[fill])}", "has", "medium", "fill", fill)
            for fill in FILLS
        ),
        *(
            ShapesAttribute(f"size:{'/'.join(BEFORE_NOUN[size])}", "is", "head", "size", size)
            for size in SIZES
        ),
    ]


def labels(scene: Scene, thing: Object) -> list[int]:
    """Return 1 for each attribute that an object has, 0 for each that it has not, -1 where nobody can say.

    The pattern of a small object on a grainy ground is hard to warn, and whether an object between the sizes is small.
    """
    found = []
    for attribute in attributes():
        unclear = (
            attribute.property == "fill" and thing.size == "small" and scene.texture == "grainy"
        )
        found.append(
            UNKNOWN if unclear else int(getattr(thing, attribute.property) == attribute.value)
        )
    return found
