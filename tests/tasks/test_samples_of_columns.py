"""Samples made of columns are those that a call for each of them makes."""

from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import pytest

from harness.task import Sample, samples_of_columns

IMAGES = [(Path("a.jpg"),), (Path("b.jpg"),)]


@dataclass(frozen=True, slots=True)
class Slotted(Sample):
    text: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Plain(Sample):
    text: str
    choices: tuple[str, ...]


@pytest.mark.parametrize("kind", [Slotted, Plain])
def test_samples_equal_those_that_were_made_one_by_one(kind):
    samples = samples_of_columns(
        kind, text=["is it?", "what?"], id=[7, 9], images=IMAGES, choices=repeat(("yes", "no"))
    )
    assert samples == [
        kind(7, IMAGES[0], "is it?", ("yes", "no")),
        kind(9, IMAGES[1], "what?", ("yes", "no")),
    ]
    assert len({hash(sample) for sample in samples}) == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (dict(id=[7, 9], images=IMAGES, text=["is it?"], choices=repeat(())), r"lengths \[1, 2\]"),
        (
            dict(id=[7, 9], images=IMAGES, text=["a", "b"], choices=repeat((), 1)),
            r"lengths \[1, 2\]",
        ),
        (dict(id=[7, 9], images=IMAGES, text=["is it?", "what?"]), "field too many: choices"),
        (dict(id=[7], images=IMAGES[:1], text=[""], choices=[()], types=[""]), "too many: types"),
    ],
)
def test_columns_that_do_not_fit_the_class_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        samples_of_columns(Slotted, **columns)
