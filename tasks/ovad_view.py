"""What a box of OVAD looks like: its attributes by score, and which of them it has."""

from collections.abc import Sequence

import numpy as np

from harness.images import View
from harness.sample_view import Details, Item, PairScores, Picture, SampleView

RIGHT = {1: True, 0: False, -1: None}  # whether an attribute of this label is right
FIRST = 3  # attributes by which a prediction is put into words


def view_attributes(
    image: View, names: Sequence[str], labels: Sequence[int], scores: Sequence[float] | None
) -> SampleView:
    """Return the view of a box with a label (1, 0 or -1) for each attribute, and perhaps a score.

    The attributes of the highest scores come first.
    """
    true = [name for name, label in zip(names, labels, strict=True) if label == 1]
    pictures, truth = (Picture(image),), ", ".join(true) or "no attribute"
    if scores is None:
        return SampleView(pictures=pictures, truth=truth)
    values, label_of = np.array(scores, dtype=np.float64), np.array(labels)
    items = tuple(
        Item(names[index], float(values[index]), RIGHT[labels[index]])
        for index in np.argsort(-values, kind="stable").tolist()
    )
    return SampleView(
        pictures=pictures,
        truth=truth,
        prediction=", ".join(item.text for item in items[:FIRST]),
        details=(Details("Attributes by score", items),),
        pairs=(PairScores("similarity", values[label_of == 1], values[label_of == 0]),),
    )
