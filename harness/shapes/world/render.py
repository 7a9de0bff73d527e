"""Draw scenes: NumPy only, so that the pixels do not depend on the version of a drawing library."""

import numpy as np
from numpy.typing import NDArray

from harness.shapes.world.scenes import BACKGROUNDS, COLOURS, Object, Scene

Mask = NDArray[np.bool_]
Coordinates = NDArray[np.float64]

SAMPLES = 3  # samples a side of each pixel, averaged: smooth edges
HOLLOW = 0.62  # how much of a hollow shape is cut out, as a share of its side
STRIPES = 5.0  # dark stripes across a shape
DOTS = 5.0  # dots along a side of a shape
ARM = 0.36  # half the width of a cross's arms, as a share of half its side
# A five-pointed star's corners (x, y) in its box, from -1 to 1 with y pointing down, beginning at the top.
STAR = (
    (0.0, -1.0), (0.236, -0.236), (1.0, -0.236), (0.382, 0.236), (0.618, 1.0),
    (0.0, 0.528), (-0.618, 1.0), (-0.382, 0.236), (-1.0, -0.236), (-0.236, -0.236),
)  # fmt: skip


def render(scene: Scene) -> NDArray[np.uint8]:
    """Return the pixels of a scene, [height, width, 3]."""
    pixels = _background(scene)
    for thing in scene.objects:
        _draw(pixels, thing)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _background(scene: Scene) -> NDArray[np.float64]:
    base = np.array(BACKGROUNDS[scene.background], float)
    y, x = np.mgrid[: scene.height, : scene.width]
    if scene.texture == "gradient":
        light = 0.8 + 0.4 * (x / scene.width if scene.chunk_sizes % 2 else y / scene.height)
    elif scene.texture == "checked":
        side = 6 + scene.chunk_sizes % 7
        light = 0.94 + 0.12 * ((x // side + y // side) % 2)
    elif scene.texture == "grainy":
        # A hash of the position instead of a generator: NumPy does not promise the same stream for ever.
        mixed = (x * 374761393 + y * 668265263 + scene.chunk_sizes) % 2**32
        noise = (mixed ^ mixed >> 13) * 1274126177 % 2**32 / 2**32
        light = 0.88 + 0.24 * noise
    else:
        light = np.ones(x.shape)
    return base * light[..., None]


def _draw(pixels: NDArray[np.float64], thing: Object) -> None:
    x, y, w, h = thing.box
    u = (np.arange(w * SAMPLES) + 0.5) / (w * SAMPLES) * 2 - 1
    v = (np.arange(h * SAMPLES) + 0.5) / (h * SAMPLES) * 2 - 1
    u, v = np.meshgrid(u, v)
    inside = _inside(thing.shape, u, v)
    marked = inside & _marks(thing, u, v)
    if thing.fill == "hollow":
        inside, marked = inside & ~marked, np.zeros_like(marked)
    colour = np.array(COLOURS[thing.colour], float)
    paint = np.where(marked[..., None], _dark(colour), colour)
    cover = _average(inside[..., None].astype(float))
    mixed = _average(paint * inside[..., None])
    patch = pixels[y : y + h, x : x + w]
    patch[...] = patch * (1 - cover) + mixed


def _inside(shape: str, u: Coordinates, v: Coordinates) -> Mask:
    """Say which points of the box, -1 to 1 with v pointing down, belong to the shape."""
    if shape == "circle":
        return u**2 + v**2 <= 1
    if shape == "square":
        return (np.abs(u) <= 1) & (np.abs(v) <= 1)
    if shape == "triangle":
        return (np.abs(u) <= (v + 1) / 2) & (v <= 1)
    if shape == "diamond":
        return np.abs(u) + np.abs(v) <= 1
    if shape == "cross":
        return (np.abs(u) <= ARM) | (np.abs(v) <= ARM)
    return _in_polygon(STAR, u, v)


def _in_polygon(corners: tuple[tuple[float, float], ...], u: Coordinates, v: Coordinates) -> Mask:
    """Say which points lie inside a polygon: a ray from them crosses its sides an odd number of times."""
    odd = np.zeros(u.shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y1 != y2:
            odd ^= ((y1 > v) != (y2 > v)) & (u < (x2 - x1) * (v - y1) / (y2 - y1) + x1)
    return odd


def _marks(thing: Object, u: Coordinates, v: Coordinates) -> Mask:
    """Say which points of a shape its fill darkens; of a hollow one, cuts out."""
    if thing.fill == "hollow":
        if (
            thing.shape == "cross"
        ):  # shrinking a cross would leave its ends thick: cut its arms out instead
            return ((np.abs(u) <= ARM / 2) & (np.abs(v) <= 0.82)) | (
                (np.abs(v) <= ARM / 2) & (np.abs(u) <= 0.82)
            )
        sink = (
            0.15 if thing.shape == "triangle" else 0.0
        )  # a triangle's middle lies below the middle of its box
        return _inside(thing.shape, u / HOLLOW, (v - sink) / HOLLOW)
    if thing.fill == "striped":
        return (u + v) * STRIPES / 2 % 2 < 0.9
    if thing.fill == "dotted":
        return ((u * DOTS / 2 + 0.5) % 1 - 0.5) ** 2 + (
            (v * DOTS / 2 + 0.5) % 1 - 0.5
        ) ** 2 < 0.3**2
    return np.zeros(u.shape, bool)


def _dark(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what marks a colour: a darker one, or a lighter one where it is dark already."""
    return colour * 0.35 if colour.sum() > 150 else colour + 130


def _average(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width, channels = samples.shape
    return samples.reshape(height // SAMPLES, SAMPLES, width // SAMPLES, SAMPLES, channels).mean(
        (1, 3)
    )
