"""One sample of a result, with its picture."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from PIL import Image

from harness.errors import DataError, HarnessError
from harness.metrics.grounding import Box
from harness.report.pictures import boxes_of, draw_sample
from harness.running.stored.samples import StoredSample
from harness.sample_view import SampleView
from harness.task import Prediction, SampleId


class ResultSample:
    """A sample of a result: its text, truth, prediction, scores and picture.

    A notebook shows it with its boxes drawn. `view` is its full description by the task.
    """

    def __init__(self, stored: StoredSample) -> None:
        self._stored = stored
        self.view: SampleView = stored.view

    @property
    def id(self) -> SampleId:
        """The id of the sample in the annotation files."""
        return self._stored.id

    @property
    def annotation(self) -> Any:
        """The sample as the task reads it; None where the annotations are not at hand."""
        return self._stored.sample

    @property
    def text(self) -> str | None:
        """The first text of the sample; `view.texts` has all."""
        return next(iter(self.view.texts), None)

    @property
    def truth(self) -> str | None:
        """The truth in words."""
        return self.view.truth

    @property
    def prediction(self) -> str:
        """The prediction in words."""
        return self.view.prediction

    @property
    def stored_prediction(self) -> Prediction:
        """The prediction as it is stored: a box (cx, cy, w, h) in 0..1, for example."""
        return self._stored.prediction

    @property
    def scores(self) -> Mapping[str, float]:
        """The measures of the sample, the most important first; higher is better."""
        return self._stored.scores

    @property
    def wrong(self) -> bool | None:
        """Whether it is wrong by its first measure; None where that is not a share."""
        return self._stored.wrong

    @property
    def boxes(self) -> Mapping[str, Sequence[Box]]:
        """The boxes in pixels of the image by role: `truth`, `prediction`, `detection`, `given`."""
        boxes: dict[str, list[Box]] = {}
        for picture in self.view.pictures:
            for marked in boxes_of(picture):
                boxes.setdefault(marked.role, []).append(Box(*marked.box))
        return boxes

    @cached_property
    def picture(self) -> Image.Image:
        """The images side by side, with the boxes drawn on them.

        Raises MissingError or DataError for images that cannot be read.
        """
        if not self.view.pictures:
            raise DataError(f"sample {self.id!r}: its images are not known without its annotations")
        return draw_sample(self.view)

    def __repr__(self) -> str:
        parts = [f"{name} {value:.2f}" for name, value in self.scores.items()]
        return (
            f"<ResultSample {self.id!r}: {self.text!r}; truth {self.truth!r}; prediction "
            f"{self.prediction!r}; {', '.join(parts) or 'no score'}>"
        )

    def _repr_png_(self) -> bytes | None:
        try:
            picture = self.picture
        except HarnessError:
            return None
        file = io.BytesIO()
        picture.save(file, "png")
        return file.getvalue()

    def _repr_html_(self) -> str:
        rows = {
            "text": "\n".join(self.view.texts[:5]) or None,
            "truth": self.truth,
            "prediction": self.prediction,
            **{name: f"{value:.2f}" for name, value in self.scores.items()},
        }
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in rows.items()
            if value is not None
        )
        content = self._repr_png_()
        picture = ""
        if content is not None:
            address = base64.standard_b64encode(content).decode("ascii")
            alternative = html.escape(f"sample {self.id}", quote=True)
            picture = f'<img alt="{alternative}" src="data:image/png;base64,{address}">'
        return f"{picture}<table>{cells}</table>"
