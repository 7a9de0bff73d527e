"""Small charts as SVG, drawn by hand: colours and fonts come from the style sheet of the page.

Each chart is a picture with a text alternative that holds its numbers. Everything is escaped.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH = 460  # of every chart, in its own units
LABEL, RIGHT = 150, 78  # room for names on the left and for numbers on the right
ROW = 22  # height of a bar or an interval
PLOT = 170  # height of a histogram or a curve
LONGEST = 26  # letters of a name


class Measured(NamedTuple):
    """A metric with its 95 % interval and the published number, as far as they are known."""

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
    low, high = _range(numbers)
    left, right = LABEL, WIDTH - RIGHT
    height = ROW * len(rows) + 24

    def across(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    parts = _axis(low, high, left=left, right=right, height=height - 18)
    texts = []
    for number, row in enumerate(rows):
        y = ROW * number + ROW / 2 + 2
        parts.append(_text(left - 8, y + 4, _cut(row.name), "end"))
        text = f"{row.name} {row.value:.2f}"
        if row.interval:
            start, end = map(across, row.interval)
            parts.append(
                f'<path class="whisker" d="M{start:.1f} {y}H{end:.1f}M{start:.1f} {y - 4}v8'
                f'M{end:.1f} {y - 4}v8"/>'
            )
            text += f" ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
        if row.published is not None:
            x = across(row.published)
            parts.append(f'<path class="published" d="M{x:.1f} {y - 6}l5 6-5 6-5-6z"/>')
            text += f", published {row.published:.2f}"
        parts.append(f'<circle class="dot" cx="{across(row.value):.1f}" cy="{y}" r="4"/>')
        parts.append(_text(right + 10, y + 4, f"{row.value:.2f}", "start", "number"))
        texts.append(text)
    return _svg(parts, height, "; ".join(texts))


def small_interval(
    value: float, interval: tuple[float, float] | None, published: float | None
) -> Markup:
    """Draw one value on a scale from 0 to 100, or to itself, small enough for a line of a table."""
    high = max(100.0, value, *(interval or ()), published or 0.0)
    left, right, y = 4, 186, 9

    def across(number: float) -> float:
        return left + (right - left) * max(number, 0.0) / high

    parts = [f'<path class="grid" d="M{left} {y}H{right}M{left} 4v10M{right} 4v10"/>']
    text = f"{value:.2f}"
    if interval:
        start, end = map(across, interval)
        parts.append(
            f'<path class="whisker" d="M{start:.1f} {y}H{end:.1f}M{start:.1f} {y - 4}v8'
            f'M{end:.1f} {y - 4}v8"/>'
        )
        text += f" ({interval[0]:.2f} to {interval[1]:.2f})"
    if published is not None:
        parts.append(f'<path class="published" d="M{across(published):.1f} {y - 6}l5 6-5 6-5-6z"/>')
        text += f", published {published:.2f}"
    parts.append(f'<circle class="dot" cx="{across(value):.1f}" cy="{y}" r="3.5"/>')
    return _svg(parts, 18, text, width=190)


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
        parts.append(_text(left - 8, y + 13, _cut(name), "end"))
        parts.append(f'<rect class="track" x="{left}" y="{y}" width="{right - left}" height="16"/>')
        parts.append(
            f'<rect class="bar" x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="16"/>'
        )
        parts.append(_text(right + 10, y + 13, f"{value:.2f}", "start", "number"))
    text = "; ".join(f"{name} {value:.2f}" for name, value in values.items())
    return _svg(parts, ROW * len(values) + 4, text)


def histogram(edges: Sequence[float], series: Sequence[Series]) -> Markup:
    """Draw histograms over common `edges`, each scaled to its own highest bar."""
    left, right, bottom = 30, WIDTH - 10, PLOT - 22
    low, high = edges[0], edges[-1]
    parts = _axis(low, high, left=left, right=right, height=bottom)
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
            parts.append(_text(left + 150 * number + 15, 11, label, "start"))
        texts.append(f"{part.name}: {round(sum(part.values)):,} from {low:.2f} to {high:.2f}")
    return _svg(parts, PLOT, "; ".join(texts))


def recall(curves: Mapping[str, Mapping[int, float]]) -> Markup:
    """Draw the recall at each k as one line per direction."""
    left, right, top, bottom = 34, WIDTH - 120, 12, PLOT - 24
    ks = sorted({k for curve in curves.values() for k in curve})
    low, _ = _range([value for curve in curves.values() for value in curve.values()])
    low = min(low, 99.0)

    def at(k: int, value: float) -> tuple[float, float]:
        x = left + (right - left) * (ks.index(k) / max(len(ks) - 1, 1))
        return x, bottom - (bottom - top) * (value - low) / (100 - low)

    parts = [
        f'<path class="grid" d="M{left} {at(ks[0], value)[1]:.1f}H{right}"/>'
        + _text(left - 6, at(ks[0], value)[1] + 4, f"{value:g}", "end", "tick")
        for value in _ticks(low, 100)
    ]
    parts += [_text(at(k, low)[0], bottom + 16, f"R@{k}", "middle", "tick") for k in ks]
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
            + _text(right + 36, y + 4, name, "start")
        )
        numbers = ", ".join(f"R@{k} {value:.2f}" for k, value in sorted(curve.items()))
        texts.append(f"{name}: {numbers}")
    return _svg(parts, PLOT, "; ".join(texts))


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
        parts.append(_text(x, floor + 15, f"{100 * value:.0f} %", "middle", "tick"))
    for value in (0.0, 0.5, 1.0):
        parts.append(_text(left - 5, at(1.0, value)[1] + 4, f"{100 * value:.0f}", "end", "tick"))
    most = max(part.samples for part in bins)
    for part in bins:
        x, y = at(part.confidence, part.accuracy)
        radius = 3 + 7 * math.sqrt(part.samples / most)
        parts.append(f'<circle class="bubble" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>')
    parts.append(_text(left + size + 16, top + 14, "right answers (%)", "start"))
    parts.append(_text(left + size + 16, top + 32, "over confidence", "start"))
    parts.append(_text(left + size + 16, top + 58, "a larger dot:", "start", "tick"))
    parts.append(_text(left + size + 16, top + 73, "more samples", "start", "tick"))
    text = "; ".join(
        f"confidence {100 * part.confidence:.0f} %: {100 * part.accuracy:.0f} % of "
        f"{part.samples} right"
        for part in bins
    )
    return _svg(parts, floor + 24, text)


def _svg(parts: Sequence[str], height: float, label: str, *, width: int = WIDTH) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {width} {height:g}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, style: str = "name") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def _axis(low: float, high: float, *, left: float, right: float, height: float) -> list[str]:
    parts = []
    for tick in _ticks(low, high):
        x = left + (right - left) * (tick - low) / ((high - low) or 1)
        parts.append(f'<path class="grid" d="M{x:.1f} 0V{height:.1f}"/>')
        parts.append(_text(x, height + 15, f"{tick:g}", "middle", "tick"))
    return parts


def _range(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the range of an axis: all numbers with some room, in 0..100 where they are."""
    low, high = min(numbers), max(numbers)
    room = max((high - low) * 0.1, 1.0)
    bounded = low >= 0 and high <= 100
    return (
        max(low - room, 0.0) if bounded else low - room,
        min(high + room, 100.0) if bounded else high + room,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return four to seven round numbers of a range.

    >>> _ticks(0, 100), _ticks(88.2, 100)
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


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
