"""What a sample looks like to people: pictures with boxes, texts, truth and prediction.

A task says it in `Task.view`; `show`, the report and notebooks render it. Nothing here is scored.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.images import View

# The roles of a box. A `given` box is part of the question: the object that a sample is about.
TRUTH, PREDICTION, DETECTION, GIVEN = ("truth", "prediction", "detection", "given")
NOT_KEPT = "(not kept)"  # instead of a prediction that was not stored
LONGEST = 200  # characters of a prediction that no task has put into words


@dataclass(frozen=True)
class MarkedBox:
    """A box (x, y, width, height) in pixels of a whole image, and its role in the sample."""

    role: str
    box: tuple[float, float, float, float]
    label: str = ""


@dataclass(frozen=True)
class Picture:
    """An image of a sample, its name among several (`left`), and the boxes on it.

    A `Region` is shown as the whole image with the region marked.
    """

    view: View
    label: str = ""
    boxes: tuple[MarkedBox, ...] = ()


@dataclass(frozen=True)
class Item:
    """An entry of a list of details: a text, its score, and whether it is right (None: neither)."""

    text: str
    score: float | None = None
    right: bool | None = None


@dataclass(frozen=True)
class Details:
    """A list under a title: ten answers, references, the first ranks.

    `references` marks texts that the prediction is compared with word by word.
    """

    title: str
    items: tuple[Item, ...]
    references: bool = False


@dataclass(frozen=True)
class PairScores:
    """Scores that a model gave to matching and to other pairs of a sample, by their name."""

    name: str
    matched: NDArray[np.floating[Any]]
    unmatched: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SampleView:
    """A sample for people.

    truth       in words; None where it is not known
    prediction  in words
    types       the parts of the split that it belongs to, to filter by: `answer: number`
    confidence  the model's probability, in 0..1, that its prediction is right, if it has one
    """

    pictures: tuple[Picture, ...] = ()
    texts: tuple[str, ...] = ()
    truth: str | None = None
    prediction: str = NOT_KEPT
    details: tuple[Details, ...] = ()
    types: tuple[str, ...] = ()
    confidence: float | None = None
    pairs: tuple[PairScores, ...] = ()


def prediction_text(prediction: Any) -> str:
    """Return a prediction of JSON's types as a text: itself, `true`, or JSON in one short line.

    >>> prediction_text("a red circle"), prediction_text(True), prediction_text([0.25, 1])
    ('a red circle', 'true', '[0.25, 1]')
    """
    if isinstance(prediction, str):
        return prediction
    text = json.dumps(prediction, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def box_text(box: Sequence[float]) -> str:
    """Return a box (x, y, width, height) in words.

    >>> box_text((3.0, 4.25, 10, 20))
    'x 3, y 4.2, 10 × 20'
    """
    x, y, width, height = (f"{float(number):.1f}".removesuffix(".0") for number in box)
    return f"x {x}, y {y}, {width} × {height}"
