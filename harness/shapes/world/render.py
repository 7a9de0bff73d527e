"""Draw scenes with NumPy only, so that pixels do not depend on the version of a drawing library."""

import numpy as np
from numpy.typing import NDArray

from harness.shapes.world.scenes import BACKGROUNDS, COLOURS, Object, Scene

Mask = NDArray[np.bool_]
Coordinates = NDArray[np.float64]

SAMPLES = 3  # samples per pixel and axis, averaged for antialiasing
HOLLOW = 0.62  # side of a hollow shape's hole, as a fraction of the shape's side
STRIPES = 5.0  # dark stripes across a shape
DOTS = 5.0  # dots along a side of a shape
ARM = 0.36  # half the width of a cross's arms, as a fraction of half its side
# Corners (x, y) of a five-pointed star, clockwise from the top; -1 to 1 with y pointing down.
STAR = (
    (0.0, -1.0), (0.236, -0.236), (1.0, -0.236), (0.382, 0.236), (0.618, 1.0),
    (0.0, 0.528), (-0.618, 1.0), (-0.382, 0.236), (-1.0, -0.236), (-0.236, -0.236),
)  # fmt: skip


def render(scene: Scene) -> NDArray[np.uint8]:
    """Return the pixels of a scene, `[height, width, 3]`."""
    pixels = _background(scene)
    for obj in scene.objects:
        _draw(pixels, obj)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _background(scene: Scene) -> NDArray[np.float64]:
    base = np.array(BACKGROUNDS[scene.background], float)
    y, x = np.mgrid[: scene.height, : scene.width]
    if scene.texture == "gradient":
        light = 0.8 + 0.4 * (x / scene.width if scene.texture_seed % 2 else y / scene.height)
    elif scene.texture == "checked":
        side = 6 + scene.texture_seed % 7
        light = 0.94 + 0.12 * ((x // side + y // side) % 2)
    elif scene.texture == "grainy":
        # A hash of the position: NumPy does not guarantee the streams of its generators.
        mixed = (x * 374761393 + y * 668265263 + scene.texture_seed) % 2**32
        noise = (mixed ^ mixed >> 13) * 1274126177 % 2**32 / 2**32
        light = 0.88 + 0.24 * noise
    else:
        light = np.ones(x.shape)
    return base * light[..., None]


def _draw(pixels: NDArray[np.float64], obj: Object) -> None:
    """Blend an object into `pixels`, in place."""
    x, y, w, h = obj.box
    u = (np.arange(w * SAMPLES) + 0.5) / (w * SAMPLES) * 2 - 1
    v = (np.arange(h * SAMPLES) + 0.5) / (h * SAMPLES) * 2 - 1
    u, v = np.meshgrid(u, v, sparse=True)  # a row and a column: they broadcast
    inside = _inside(obj.shape, u, v)
    marked = inside & _marks(obj, u, v)
    if obj.fill == "hollow":
        inside, marked = inside & ~marked, np.zeros_like(marked)
    colour = np.array(COLOURS[obj.colour], float)
    colours = np.stack([np.zeros(3), colour, _mark_colour(colour)])  # of no sample, plain, marked
    coverage = _average(inside.astype(float)[..., None])
    mixed = _average(colours.take(inside.astype(int) + marked, axis=0))
    patch = pixels[y : y + h, x : x + w]
    patch[...] = patch * (1 - coverage) + mixed


def _inside(shape: str, u: Coordinates, v: Coordinates) -> Mask:
    """Return the points of the box (-1 to 1, v pointing down) that belong to the shape."""
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
    """Return the points inside a polygon: a ray from them crosses an odd number of its sides."""
    odd = np.zeros(np.broadcast_shapes(u.shape, v.shape), bool)
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if y1 != y2:
            odd ^= ((y1 > v) != (y2 > v)) & (u < (x2 - x1) * (v - y1) / (y2 - y1) + x1)
    return odd


def _marks(obj: Object, u: Coordinates, v: Coordinates) -> Mask:
    """Return the points that the fill marks: darkens, or cuts out of a hollow shape."""
    if obj.fill == "hollow":
        return _hole(obj.shape, u, v)
    if obj.fill == "striped":
        return (u + v) * STRIPES / 2 % 2 < 0.9
    if obj.fill == "dotted":
        du, dv = ((axis * DOTS / 2 + 0.5) % 1 - 0.5 for axis in (u, v))
        return du**2 + dv**2 < 0.3**2
    return np.zeros((1, 1), bool)


def _hole(shape: str, u: Coordinates, v: Coordinates) -> Mask:
    """Return the points of a hollow shape's hole."""
    if shape == "cross":
        # A smaller cross would leave the ends of the arms thick: cut along the arms instead.
        across = (np.abs(u) <= ARM / 2) & (np.abs(v) <= 0.82)
        along = (np.abs(v) <= ARM / 2) & (np.abs(u) <= 0.82)
        return across | along
    # The centroid of a triangle lies below the centre of its box.
    shift = 0.15 if shape == "triangle" else 0.0
    return _inside(shape, u / HOLLOW, (v - shift) / HOLLOW)


def _mark_colour(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colour of stripes and dots: darker than the shape, or lighter on dark shapes."""
    return colour * 0.35 if colour.sum() > 150 else colour + 130


def _average(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each pixel's samples, `[H * S, W * S, C]` to `[H, W, C]`."""
    first, *others = (samples[i::SAMPLES, j::SAMPLES] for i, j in np.ndindex(SAMPLES, SAMPLES))
    total = first.copy()
    for sample in others:  # in this order, which the last digits depend on
        total += sample
    return total / SAMPLES**2
