"""Attributes of single objects, some of them unknown, as in OVAD."""

from dataclasses import dataclass

from harness.shapes.world.expressions import BEFORE_NOUN, NOUNS
from harness.shapes.world.scenes import COLOURS, FILLS, SHAPES, SIZES, Object, Scene

UNKNOWN = -1  # OVAD's label of an attribute that annotators could not decide


@dataclass(frozen=True)
class ShapesAttribute:
    """An attribute with OVAD's fields, and the value of an object's property that it stands for."""

    name: str
    is_has_att: str
    freq_set: str
    property: str
    value: str


def attributes() -> list[ShapesAttribute]:
    """Return all attributes: colours, shapes, patterns and sizes, each with its synonyms."""
    colours = {colour: colour for colour in COLOURS}
    shapes = {shape: "/".join(NOUNS[shape]) for shape in SHAPES}
    patterns = {fill: "/".join(BEFORE_NOUN[fill]) for fill in FILLS}
    sizes = {size: "/".join(BEFORE_NOUN[size]) for size in SIZES}
    return [
        ShapesAttribute(f"{type_name}:{synonyms}", is_has_att, freq_set, property_name, value)
        for type_name, is_has_att, freq_set, property_name, names in (
            ("color", "is", "tail", "colour", colours),
            ("shape", "is", "medium", "shape", shapes),
            ("pattern", "has", "medium", "fill", patterns),
            ("size", "is", "head", "size", sizes),
        )
        for value, synonyms in names.items()
    ]


def labels(scene: Scene, obj: Object) -> list[int]:
    """Return one label per attribute of an object: 1 positive, 0 negative, -1 unknown.

    The pattern of a small object on a grainy background is unknown.
    """
    pattern_unclear = obj.size == "small" and scene.texture == "grainy"
    return [
        UNKNOWN
        if attribute.property == "fill" and pattern_unclear
        else int(getattr(obj, attribute.property) == attribute.value)
        for attribute in attributes()
    ]
