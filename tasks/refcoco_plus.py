"""RefCOCO+: find the object that an expression refers to; no expression says where it is.

Data: lichengunc/refer, UNC split (Yu et al. 2016, arXiv 1608.00272), images of COCO train2014. Protocol: X-VLM's `Grounding_bbox.py`: each
expression counts once, a box is right if its IoU with the true one is at least one half; testA refers to people, testB to the rest.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.capabilities import Grounder
from harness.errors import DataError
from harness.files.parsing import is_number
from harness.formats.coco import coco_images
from harness.formats.folder import DataFolder, Needed, path_within
from harness.formats.refer import read_flat, read_references
from harness.formats.submissions import match_predictions, read_boxes
from harness.metrics.grounding import THRESHOLD, Box, accuracy, distribution, in_pixels, iou
from harness.statistics.means import mean_of
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task

REFER = "https://github.com/lichengunc/refer (refcoco+.zip; its server is down, issue 14 there lists copies)"
FOLDERS = ("refcoco+", "data/finetune/refcoco+", "finetune/refcoco+")  # the second is X-VLM's own
REFS = Needed(
    tuple(f"{folder}/refs(unc).p" for folder in FOLDERS), "the references, UNC split", REFER
)
INSTANCES = Needed(
    tuple(f"{folder}/instances.json" for folder in FOLDERS), "the boxes of the references", REFER
)
IMAGES = coco_images("train2014")
FLAT = {
    split: Needed(
        (
            f"data/finetune/refcoco+/{name}",
            f"data/finetune/{name}",
            f"finetune/{name}",
            f"refcoco+/{name}",
            name,
        ),
        "X-VLM's list of expressions",
        "the link in X-VLM's README",
        optional=True,
    )
    for split, name in {
        "val": "refcoco+_val.json",
        "testA": "refcoco+_test.json",
        "testB": "refcoco+_test.json",
    }.items()
}


@dataclass(frozen=True)
class Expression(Sample):
    """One expression, the true box of what it refers to, and the size of its image, all in pixels; its id is the dataset's `sent_id`."""

    text: str
    ref_id: int
    box: Box
    width: int
    height: int


class RefCOCOPlus(Task):
    """Visual grounding on the UNC splits, one sample an expression."""

    name: ClassVar[str] = "refcoco+"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("val", "testA", "testB")
    primary: ClassVar[str] = "accuracy"
    needs: ClassVar[type] = Grounder
    protocol: ClassVar[str] = "iou>=0.5|per-expression"

    def files(self, split: str) -> Sequence[Needed]:
        """Name the references, their boxes, X-VLM's list of the split (optional) and the images."""
        return (REFS, INSTANCES, FLAT[split], IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Expression]:
        """Read the expressions of a split: from X-VLM's flat list where there is one, as the reference does, else from the originals."""
        references = read_references(data.path(REFS), data.path(INSTANCES))
        flat = data.find(FLAT[split])
        said = (
            read_flat(flat, references)
            if flat
            else [(ref, sentence) for ref in references for sentence in ref.sentences]
        )
        images = data.expected_path(IMAGES)
        expressions = [
            Expression(
                id=sentence.sent_id,
                images=(
                    path_within(
                        images,
                        ref.file_name,
                        where=f"{data.path(INSTANCES)}, image of ref_id {ref.ref_id}",
                    ),
                ),
                text=sentence.text,
                ref_id=ref.ref_id,
                box=ref.box,
                width=ref.width,
                height=ref.height,
            )
            for ref, sentence in said
            if ref.split == split
        ]
        if not expressions:
            raise DataError(f"{flat or data.path(REFS)}: has no expression of the split {split}")
        return expressions

    def counts(self, samples: Sequence[Expression]) -> Mapping[str, int]:
        """Count the references too."""
        return {**super().counts(samples), "references": len({sample.ref_id for sample in samples})}

    def check_annotation(self, sample: Expression, sizes: Sequence[tuple[int, int]]) -> str | None:
        """Say where an image has not the size that its boxes are measured in."""
        expected = (sample.width, sample.height)
        return (
            None
            if sizes[0] == expected
            else "is {} x {} pixels, by the annotations {} x {}".format(*sizes[0], *expected)
        )

    def texts(self, sample: Expression) -> Sequence[str]:
        """Return the expression."""
        return (sample.text,)

    def predict(self, model: Grounder, batch: Batch) -> Sequence[Prediction]:
        """Return a box [cx, cy, w, h] in 0..1 of the image for each expression."""
        boxes = model.ground(
            batch.images, [expression.text for expression in batch.samples], batch.image_of[:, 0]
        )
        return [[float(number) for number in box] for box in boxes]

    def fallback_prediction(self, sample: Expression) -> Prediction:
        """Return an empty box."""
        return [0.0, 0.0, 0.0, 0.0]

    def score(
        self, samples: Sequence[Expression], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the accuracy over expressions, with an interval over images: expressions about one image stand and fall together."""
        overlaps = [
            iou(s.box, in_pixels(_box(predictions[s.id], s.id), width=s.width, height=s.height))
            for s in samples
        ]
        correct = [100.0 * (overlap >= THRESHOLD) for overlap in overlaps]
        return Scores(
            {"accuracy": accuracy(overlaps)},
            {"accuracy": mean_of(correct, clusters=[str(s.images[0]) for s in samples])},
            {"accuracy": correct, "iou": [100 * overlap for overlap in overlaps]},
            breakdown={"iou": distribution(overlaps)},
        )

    def score_official(self, samples: Sequence[Expression], path: Path) -> Scores:
        """Score boxes (cx, cy, w, h) in 0..1: a JSON list of `pred` with `sent_id`, or with `ref_id` as X-VLM writes it."""
        sentences: dict[int, list[int]] = {}
        for sample in samples:
            sentences.setdefault(sample.ref_id, []).append(int(sample.id))
        return self.score(
            samples,
            match_predictions(path, read_boxes(path, sentences), [sample.id for sample in samples]),
        )


def _box(prediction: Prediction, sent_id: SampleId) -> Sequence[float]:
    """Return a prediction if it is one. Raises DataError for anything but four finite numbers: prediction files come from anywhere."""
    if isinstance(prediction, list) and len(prediction) == 4 and all(map(is_number, prediction)):
        return prediction
    raise DataError(
        f"the prediction for sent_id {sent_id} should be a box of four numbers, but is {reprlib.repr(prediction)}"
    )
