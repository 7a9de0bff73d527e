"""A sample of a stored result as a row: for DataFrames, CSV and Parquet."""

from typing import Any

from harness.images import image_file
from harness.running.stored.samples import StoredSample


def row_of(sample: StoredSample) -> dict[str, Any]:
    """Return a sample as a row: what its task says of it, its scores, and what is stored."""
    view = sample.view
    return {
        "id": sample.id,
        "image": " ".join(str(image_file(picture.view)) for picture in view.pictures) or None,
        "text": "\n".join(view.texts) or None,
        "truth": view.truth,
        "prediction": view.prediction,
        **sample.scores,
        "wrong": sample.wrong,
        "stored": sample.prediction,
    }
