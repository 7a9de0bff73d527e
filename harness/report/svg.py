"""The parts that charts are drawn of, as SVG: texts, axes, intervals. Everything is escaped."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

LONGEST = 26  # letters of a name


def picture(parts: Sequence[str], *, width: int, height: float, label: str) -> Markup:
    """Return parts as one picture, with `label` as its text alternative."""
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width} {height:g}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def text(x: float, y: float, content: str, anchor: str, style: str = "name") -> str:
    """Return a line of text; `anchor` is its point at (x, y): `start`, `middle` or `end`."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(content)}</text>'


def axis(low: float, high: float, *, left: float, right: float, height: float) -> list[str]:
    """Return the grid lines and numbers of a horizontal axis."""
    parts = []
    for tick in ticks(low, high):
        x = left + (right - left) * (tick - low) / ((high - low) or 1)
        parts.append(f'<path class="grid" d="M{x:.1f} 0V{height:.1f}"/>')
        parts.append(text(x, height + 15, f"{tick:g}", "middle", "tick"))
    return parts


def padded_range(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the range of an axis: all numbers with some room, in 0..100 where they are."""
    low, high = min(numbers), max(numbers)
    room = max((high - low) * 0.1, 1.0)
    bounded = low >= 0 and high <= 100
    return (
        max(low - room, 0.0) if bounded else low - room,
        min(high + room, 100.0) if bounded else high + room,
    )


def ticks(low: float, high: float) -> list[float]:
    """Return four to seven round numbers of a range.

    >>> ticks(0, 100), ticks(88.2, 100)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], [90.0, 92.0, 94.0, 96.0, 98.0, 100.0])
    """
    span = (high - low) or 1.0
    unit = 10 ** math.floor(math.log10(span / 4))
    step = next(unit * factor for factor in (1, 2, 5, 10) if span / (unit * factor) <= 6)
    first = math.ceil(low / step - 1e-9)
    return [
        round(step * number, 10) + 0.0
        for number in range(first, math.floor(high / step + 1e-9) + 1)
    ]


def cut(name: str) -> str:
    """Return a name that fits left of a plot."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
