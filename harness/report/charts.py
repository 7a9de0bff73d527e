"""Small charts as SVG, without a plotting library; the style sheet of the page sets the colours.

The text alternative of each chart holds its numbers.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.report import svg

WIDTH = 460  # of every chart, in its own units
LABEL, RIGHT = 150, 78  # room for names on the left and for numbers on the right
ROW = 22  # height of a bar or an interval
PLOT = 170  # height of a histogram or a curve


class Measured(NamedTuple):
    """A metric with its 95 % interval and the published number, if known."""

    name: str
    value: float
    interval: tuple[float, float] | None
    published: float | None = None


class Series(NamedTuple):
    """Values of one kind in a chart, with the class of the style sheet that colours them."""

    name: str
    values: Sequence[float]
    style: str


class Bin(NamedTuple):
    """Predictions of about one confidence: its mean, the share that is right, their number."""

    confidence: float
    accuracy: float
    samples: int


def intervals(rows: Sequence[Measured]) -> Markup:
    """Draw values with their intervals, and a diamond for each published number."""
    numbers = [
        number
        for row in rows
        for number in (row.value, row.published, *(row.interval or ()))
        if number is not None
    ]
    low, high = svg.padded_range(numbers)
    left, right = LABEL, WIDTH - RIGHT
    height = ROW * len(rows) + 24

    def across(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    parts = svg.axis(low, high, left=left, right=right, height=height - 18)
    for number, row in enumerate(rows):
        y = ROW * number + ROW / 2 + 2
        parts.append(svg.text(left - 8, y + 4, svg.cut(row.name), "end"))
        parts += _marks(row, across, y, radius=4)
        parts.append(svg.text(right + 10, y + 4, f"{row.value:.2f}", "start", "number"))
    texts = [f"{row.name} {_numbers(row)}" for row in rows]
    return svg.picture(parts, width=WIDTH, height=height, label="; ".join(texts))


def small_interval(row: Measured) -> Markup:
    """Draw one value on a scale from 0 to 100, or to itself, small enough for a line of a table."""
    high = max(100.0, row.value, *(row.interval or ()), row.published or 0.0)
    left, right, y = 4, 186, 9

    def across(value: float) -> float:
        return left + (right - left) * max(value, 0.0) / high

    parts = [f'<path class="grid" d="M{left} {y}H{right}M{left} 4v10M{right} 4v10"/>']
    parts += _marks(row, across, y, radius=3.5)
    return svg.picture(parts, width=190, height=18, label=_numbers(row))


def bars(values: Mapping[str, float]) -> Markup:
    """Draw a bar for each value, from zero."""
    high = 100.0 if max(values.values()) <= 100 else max(values.values())
    low = min(0.0, *values.values())
    left, right = LABEL, WIDTH - RIGHT
    scale = (right - left) / ((high - low) or 1)
    parts: list[str] = []
    for number, (name, value) in enumerate(values.items()):
        y = ROW * number + 3
        start, end = sorted((left + (0 - low) * scale, left + (value - low) * scale))
        parts.append(svg.text(left - 8, y + 13, svg.cut(name), "end"))
        parts.append(f'<rect class="track" x="{left}" y="{y}" width="{right - left}" height="16"/>')
        parts.append(
            f'<rect class="bar" x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="16"/>'
        )
        parts.append(svg.text(right + 10, y + 13, f"{value:.2f}", "start", "number"))
    text = "; ".join(f"{name} {value:.2f}" for name, value in values.items())
    return svg.picture(parts, width=WIDTH, height=ROW * len(values) + 4, label=text)


def histogram(edges: Sequence[float], series: Sequence[Series]) -> Markup:
    """Draw histograms over common `edges`, each scaled to its own highest bar."""
    left, right, bottom = 30, WIDTH - 10, PLOT - 22
    low, high = edges[0], edges[-1]
    parts = svg.axis(low, high, left=left, right=right, height=bottom)
    width = (right - left) / (len(edges) - 1)
    texts = []
    for number, part in enumerate(series):
        peak = max(part.values) or 1
        for index, value in enumerate(part.values):
            size = value / peak * (bottom - 26)
            if value:
                parts.append(
                    f'<rect class="{part.style}" x="{left + index * width + 0.5:.1f}" '
                    f'y="{bottom - size:.1f}" width="{max(width - 1, 0.5):.1f}" '
                    f'height="{size:.1f}"/>'
                )
        if len(series) > 1:
            parts.append(
                f'<rect class="{part.style}" x="{left + 150 * number}" y="2" width="10" '
                'height="10"/>'
            )
            label = f"{part.name} ({round(sum(part.values)):,})"
            parts.append(svg.text(left + 150 * number + 15, 11, label, "start"))
        texts.append(f"{part.name}: {round(sum(part.values)):,} from {low:.2f} to {high:.2f}")
    return svg.picture(parts, width=WIDTH, height=PLOT, label="; ".join(texts))


def recall(curves: Mapping[str, Mapping[int, float]]) -> Markup:
    """Draw the recall at each k as one line per direction."""
    left, right, top, bottom = 34, WIDTH - 120, 12, PLOT - 24
    ks = sorted({k for curve in curves.values() for k in curve})
    low, _ = svg.padded_range([value for curve in curves.values() for value in curve.values()])
    low = min(low, 99.0)

    def at(k: int, value: float) -> tuple[float, float]:
        x = left + (right - left) * (ks.index(k) / max(len(ks) - 1, 1))
        return x, bottom - (bottom - top) * (value - low) / (100 - low)

    parts = [
        f'<path class="grid" d="M{left} {at(ks[0], value)[1]:.1f}H{right}"/>'
        + svg.text(left - 6, at(ks[0], value)[1] + 4, f"{value:g}", "end", "tick")
        for value in svg.ticks(low, 100)
    ]
    parts += [svg.text(at(k, low)[0], bottom + 16, f"R@{k}", "middle", "tick") for k in ks]
    texts = []
    for number, (name, curve) in enumerate(curves.items()):
        points = [at(k, value) for k, value in sorted(curve.items())]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path class="line line{number % 2}" d="M{path}"/>')
        parts += [
            f'<circle class="point line{number % 2}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
            for x, y in points
        ]
        y = 24 + 18 * number
        parts.append(
            f'<path class="line line{number % 2}" d="M{right + 14} {y}h16"/>'
            + svg.text(right + 36, y + 4, name, "start")
        )
        numbers = ", ".join(f"R@{k} {value:.2f}" for k, value in sorted(curve.items()))
        texts.append(f"{name}: {numbers}")
    return svg.picture(parts, width=WIDTH, height=PLOT, label="; ".join(texts))


def reliability(bins: Sequence[Bin]) -> Markup:
    """Draw the share of right answers over the confidence; the diagonal is a calibrated model."""
    size, left, top = 190, 40, 10
    low = 0.5 if all(part.confidence >= 0.5 for part in bins) else 0.0

    def at(confidence: float, accuracy: float) -> tuple[float, float]:
        return left + size * (confidence - low) / (1 - low), top + size - size * accuracy

    floor = top + size
    parts = [f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>']
    parts.append(f'<path class="grid" d="M{left} {at(low, low)[1]}L{left + size} {top}"/>')
    for value in (low, (1 + low) / 2, 1.0):
        x, _ = at(value, 0.0)
        parts.append(svg.text(x, floor + 15, f"{100 * value:.0f} %", "middle", "tick"))
    for value in (0.0, 0.5, 1.0):
        parts.append(svg.text(left - 5, at(1.0, value)[1] + 4, f"{100 * value:.0f}", "end", "tick"))
    most = max(part.samples for part in bins)
    for part in bins:
        x, y = at(part.confidence, part.accuracy)
        radius = 3 + 7 * math.sqrt(part.samples / most)
        parts.append(f'<circle class="bubble" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>')
    parts.append(svg.text(left + size + 16, top + 14, "right answers (%)", "start"))
    parts.append(svg.text(left + size + 16, top + 32, "over confidence", "start"))
    parts.append(svg.text(left + size + 16, top + 58, "a larger dot:", "start", "tick"))
    parts.append(svg.text(left + size + 16, top + 73, "more samples", "start", "tick"))
    text = "; ".join(
        f"confidence {100 * part.confidence:.0f} %: {100 * part.accuracy:.0f} % of "
        f"{part.samples} right"
        for part in bins
    )
    return svg.picture(parts, width=WIDTH, height=floor + 24, label=text)


def _marks(
    row: Measured, across: Callable[[float], float], y: float, *, radius: float
) -> Iterator[str]:
    """Yield the whisker of an interval, the diamond of a published number, and the dot."""
    if row.interval:
        start, end = map(across, row.interval)
        yield (
            f'<path class="whisker" d="M{start:.1f} {y}H{end:.1f}M{start:.1f} {y - 4}v8'
            f'M{end:.1f} {y - 4}v8"/>'
        )
    if row.published is not None:
        yield f'<path class="published" d="M{across(row.published):.1f} {y - 6}l5 6-5 6-5-6z"/>'
    yield f'<circle class="dot" cx="{across(row.value):.1f}" cy="{y}" r="{radius:g}"/>'


def _numbers(row: Measured) -> str:
    """Return what the marks show, in words."""
    text = f"{row.value:.2f}"
    if row.interval:
        text += f" ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
    if row.published is not None:
        text += f", published {row.published:.2f}"
    return text
