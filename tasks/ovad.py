"""OVAD, box oracle: which of 117 attributes does an object have?

Data: OVAD-2000 (Bravo et al. 2023, arXiv 2211.12914), boxes given. Protocol: the benchmark's own script for X-VLM with `--prompt all
--average_syn`: a crop resized bilinearly, five sentences for each synonym of an attribute, the mean of their cosines; its evaluator's mAP.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.capabilities import AttributeMatcher
from harness.errors import DataError
from harness.files.parsing import is_number
from harness.formats.coco import coco_images
from harness.formats.folder import DataFolder, Needed, path_within
from harness.formats.matrices import read_array
from harness.formats.ovad import Attribute, read_ovad
from harness.formats.prompts import sentences
from harness.images import Region
from harness.metrics.attribute_ranks import attribute_statistics
from harness.metrics.attributes import average_precisions, chance_of_groups, chances, map_of_groups
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task
from harness.workload import Workload

ANNOTATIONS = Needed(
    ("ovad/ovad2000.json", "ovad2000.json"),
    "the boxes and their attributes",
    "https://lmb.informatik.uni-freiburg.de/resources/datasets/ovad.zip",
)
IMAGES = coco_images("val2017")


@dataclass(frozen=True)
class Asked:
    """What is asked of every box: the attributes, and the sentences for each of them, one after another."""

    attributes: tuple[Attribute, ...]
    sentences: tuple[str, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True)
class Object(Sample):
    """A box and its labels (1, 0, -1 for unknown), one for each attribute asked; its id is the annotation's."""

    labels: tuple[int, ...]
    asked: Asked


class OVAD(Task):
    """Attributes of given boxes, one sample a box."""

    name: ClassVar[str] = "ovad"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("box",)
    primary: ClassVar[str] = "map"
    needs: ClassVar[type] = AttributeMatcher
    protocol: ClassVar[str] = "box-oracle|prompt-all|mean-of-sentences"

    def files(self, split: str) -> Sequence[Needed]:
        """Name the annotations and the images."""
        return (ANNOTATIONS, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Object]:
        """Read the boxes that count."""
        path, images = data.path(ANNOTATIONS), data.expected_path(IMAGES)
        annotations = read_ovad(path)
        said = [
            sentences(attribute.name, attribute.is_has_att) for attribute in annotations.attributes
        ]
        asked = Asked(
            annotations.attributes,
            tuple(text for texts in said for text in texts),
            tuple(np.cumsum([len(texts) for texts in said]).tolist()),
        )
        return [
            Object(
                id=box.id,
                images=(
                    Region(
                        path_within(images, box.file_name, where=f"{path}, annotation {box.id}"),
                        box.pixels,
                    ),
                ),
                labels=box.labels,
                asked=asked,
            )
            for box in annotations.boxes
        ]

    def workload(self, samples: Sequence[Object]) -> Workload:
        """No sentence looks at a box: their features are compared."""
        return (
            super()
            .workload(samples)
            ._replace(texts=samples[0].asked.sentences, pairs=0, pairs_at_most=0)
        )

    def counts(self, samples: Sequence[Object]) -> Mapping[str, int]:
        """Count the attributes too."""
        return {**super().counts(samples), "attributes": len(samples[0].labels)}

    def texts(self, sample: Object) -> Sequence[str]:
        """Return the sentences, the same for every box."""
        return sample.asked.sentences

    def predict(self, model: AttributeMatcher, batch: Batch) -> Sequence[Prediction]:
        """Return a score for each attribute of each box: the mean over its sentences."""
        asked = batch.samples[0].asked
        found = model.similarity(batch.images, asked.sentences)[batch.image_of[:, 0]]
        parts = np.split(found, asked.ends[:-1], axis=1)
        scores = np.stack([part.mean(axis=1) for part in parts], axis=1)
        return [
            [float(str(score)) for score in row] for row in scores
        ]  # `str` writes a float32 with as many digits as it has

    def fallback_prediction(self, sample: Object) -> Prediction:
        """Return that it has no attribute at all."""
        return [-1.0] * len(sample.labels)

    def score(
        self, samples: Sequence[Object], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return mean average precision over all, head, medium and tail attributes, and the chance level of each.

        Intervals are over images: boxes of one image show the same scene.
        """
        attributes = samples[0].asked.attributes
        scores = np.array(
            [_scores(predictions[s.id], s.id, len(attributes)) for s in samples], dtype=np.float32
        )
        labels = np.array([sample.labels for sample in samples], dtype=np.int8)
        precisions = average_precisions(scores, labels)
        each = {
            a.name: 100 * float(p)
            for a, p in zip(attributes, precisions, strict=True)
            if not np.isnan(p)
        }
        metrics = {
            **map_of_groups(precisions, attributes),
            **chance_of_groups(chances(labels), attributes),
        }
        numbers: dict[Path, int] = {}
        image = [numbers.setdefault(_file(sample), len(numbers)) for sample in samples]
        return Scores(
            metrics,
            attribute_statistics(scores, labels, image, attributes),
            breakdown={"attribute": each},
        )

    def score_official(self, samples: Sequence[Object], path: Path) -> Scores:
        """Score a matrix of scores [boxes, attributes] in NumPy's format, rows in the order of the boxes that count."""
        rows = read_array(path, rows=len(samples), columns=len(samples[0].labels))
        return self.score(
            samples, {sample.id: row for sample, row in zip(samples, rows.tolist(), strict=True)}
        )


def _file(box: Object) -> Path:
    """Return the image file that a box is on."""
    (view,) = box.images
    return view.path if isinstance(view, Region) else view


def _scores(prediction: Prediction, box: SampleId, count: int) -> Sequence[float]:
    if (
        isinstance(prediction, list)
        and len(prediction) == count
        and all(map(is_number, prediction))
    ):
        return prediction
    raise DataError(
        f"the prediction for box {box} should be {count} numbers, but is {reprlib.repr(prediction)}"
    )
