"""OVAD, box oracle: which of 117 attributes does an object have?

Data: OVAD-2000, boxes given. Protocol: the benchmark's own script for each family. Each crop is
resized bilinearly; an attribute has some sentences per synonym, and its score is the mean or the
maximum of their cosines with the crop. X-VLM has five sentences and takes their mean (`--prompt all
--average_syn`); a model with `attribute_prompts` has its own. Mean average precision by the
official evaluator.
"""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import AttributeMatcher, AttributePrompts, DualEncoder, Model
from harness.dataset import Dataset
from harness.errors import DataError
from harness.files.parsing import is_number
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.matrices import read_array
from harness.formats.ovad import Attribute, read_ovad
from harness.formats.prompts import sentences
from harness.images import Region, image_file
from harness.metrics.attribute_ranks import attribute_statistics
from harness.metrics.attributes import average_precisions, chance_of_groups, chances, map_of_groups
from harness.metrics.rounding import ranked_alike, shortest_decimals
from harness.sample_view import SampleView
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task
from harness.workload import Workload
from tasks.ovad_files import ANNOTATIONS, DATASET, IMAGES
from tasks.ovad_view import view_attributes

CLIPPED_BY = 5.0  # points of mAP that clipped scores may lose without a word


@dataclass(frozen=True)
class Prompts:
    """The sentences that stand for the attributes, the same for every box.

    The sentences of attribute n end before `sentences[ends[n]]`, where those of the next begin.
    """

    attributes: tuple[Attribute, ...]
    sentences: tuple[str, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, attributes: tuple[Attribute, ...], prompt: str) -> "Prompts":
        """Return the sentences by one of the script's prompts."""
        groups = [sentences(a.name, a.is_has_att, prompt=prompt) for a in attributes]
        return cls(
            attributes,
            tuple(sentence for group in groups for sentence in group),
            tuple(np.cumsum([len(group) for group in groups]).tolist()),
        )


@dataclass(frozen=True)
class Object(Sample):
    """A box with a label for each attribute: 1, 0 or -1 (unknown); its id is the annotation's."""

    labels: tuple[int, ...]
    prompts: Prompts


class OVAD(Task[Object, AttributeMatcher | DualEncoder]):
    """Attributes of given boxes, one sample per box."""

    name: ClassVar[str] = "ovad"
    version: ClassVar[int] = 2  # 2: CMYK images are decoded as by OpenCV
    splits: ClassVar[tuple[str, ...]] = ("box",)
    primary: ClassVar[str] = "map"
    needs: ClassVar[tuple[type, ...]] = (AttributeMatcher, DualEncoder)
    protocol: ClassVar[str] = "box-oracle|prompt-all|mean-of-sentences"
    dataset: ClassVar[Dataset] = DATASET

    def files(self, split: str) -> Sequence[Needed]:
        """Name the annotations and the images."""
        return (ANNOTATIONS, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Object]:
        """Read the boxes that count."""
        path, images = data.path(ANNOTATIONS), image_folder(data, IMAGES)
        annotations = read_ovad(path)
        prompts = Prompts.of(annotations.attributes, AttributePrompts().prompt)
        return [
            Object(
                id=box.id,
                images=(
                    Region(
                        images.image(box.file_name, where=f"{path}, annotation {box.id}"),
                        box.pixels,
                    ),
                ),
                labels=box.labels,
                prompts=prompts,
            )
            for box in annotations.boxes
        ]

    def workload(self, samples: Sequence[Object]) -> Workload:
        """Count no image-text pairs: features of boxes and sentences are only compared.

        The sentences count once: they are the same for all boxes.
        """
        return Workload(
            samples=len(samples),
            images=len({sample.images for sample in samples}),
            pairs=0,
            pairs_at_most=0,
            texts=samples[0].prompts.sentences,
        )

    def counts(self, samples: Sequence[Object]) -> Mapping[str, int]:
        """Add the number of attributes."""
        return {**super().counts(samples), "attributes": len(samples[0].labels)}

    def texts(self, sample: Object) -> Sequence[str]:
        """Return the sentences, the same for every box."""
        return sample.prompts.sentences

    def view(self, sample: Object, prediction: Prediction) -> SampleView:
        """Show the box and its attributes, those of the highest scores first."""
        names = [attribute.name for attribute in sample.prompts.attributes]
        scores = None if prediction is None else _scores(prediction, sample.id, len(names))
        return view_attributes(sample.images[0], names, sample.labels, scores)

    def protocol_of(self, model: Model) -> str:
        """Return the protocol of a record: which sentences, how pooled, by which model."""
        prompts = _prompts_of(model)
        rule = f"prompt-{prompts.prompt}|{prompts.pooling}-of-sentences"
        return f"box-oracle|{rule}|{model.protocol}"

    def predict(
        self, model: AttributeMatcher | DualEncoder, batch: Batch[Object]
    ) -> Sequence[Prediction]:
        """Return a score for each attribute of each box: the mean or maximum over its sentences."""
        # Imported here: it imports torch, which reading annotations never needs.
        from harness.engine.similarity import similarity_of

        rule, prompts = _prompts_of(model), batch.samples[0].prompts
        if rule.prompt != AttributePrompts().prompt:
            prompts = _prompts(prompts.attributes, rule.prompt)
        similarity = similarity_of(model, batch.images, prompts.sentences)[batch.image_of[:, 0]]
        by_attribute = np.split(similarity, prompts.ends[:-1], axis=1)
        pool = np.max if rule.pooling == "max" else np.mean
        scores = np.stack([pool(group, axis=1) for group in by_attribute], axis=1)
        rows: Sequence[Prediction] = shortest_decimals(scores).tolist()
        return rows

    def fallback_prediction(self, sample: Object) -> Prediction:
        """Return the lowest cosine for every attribute."""
        return [-1.0] * len(sample.labels)

    def score(
        self, samples: Sequence[Object], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return mean average precision over all, head, medium and tail attributes, with chance.

        Intervals are over images: boxes of one image show the same scene.
        """
        attributes = samples[0].prompts.attributes
        rows = [_scores(predictions[s.id], s.id, len(attributes)) for s in samples]
        scores = ranked_alike(np.array(rows, dtype=np.float64))
        labels = np.array([sample.labels for sample in samples], dtype=np.int8)
        precisions = average_precisions(scores, labels)
        by_attribute = {
            attribute.name: 100 * float(precision)
            for attribute, precision in zip(attributes, precisions, strict=True)
            if not np.isnan(precision)
        }
        metrics = {
            **map_of_groups(precisions, attributes),
            **chance_of_groups(chances(labels), attributes),
        }
        numbers: dict[Path, int] = {}
        images = [
            numbers.setdefault(image_file(sample.images[0]), len(numbers)) for sample in samples
        ]
        return Scores(
            metrics,
            attribute_statistics(scores, labels, images, attributes),
            breakdown={"attribute": by_attribute},
            caveats=_caveats(scores, labels, metrics.get("map")),
        )

    def score_official(self, samples: Sequence[Object], path: Path) -> Scores:
        """Score a NumPy matrix of scores [boxes, attributes], rows in the order of the samples."""
        return self.score(samples, self.official_predictions(samples, path))

    def official_predictions(
        self, samples: Sequence[Object], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the rows of such an array."""
        rows = read_array(path, rows=len(samples), columns=len(samples[0].labels))
        return {sample.id: row for sample, row in zip(samples, rows.tolist(), strict=True)}


def _caveats(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.int8], scored: float | None
) -> list[str]:
    """Return a caveat if scores that are clipped to 0..1, as logits are, would rank far better.

    None is the `scored` mAP of boxes without any positive label, as a few may be.
    """
    outside = int(((scores < 0) | (scores > 1)).sum())
    if not outside or scored is None:
        return []
    order = [np.unique(column, return_inverse=True)[1] for column in scores.T]
    ranked = 100 * float(np.nanmean(average_precisions(np.stack(order, 1) / len(scores), labels)))
    if ranked < scored + CLIPPED_BY:
        return []
    return [
        f"{outside:,} of {scores.size:,} scores lie outside of 0..1 and count as 0 or 1, as in "
        f"OVAD's evaluator; by their order, map would be {ranked:.2f} instead of {scored:.2f}"
    ]


def _prompts_of(model: Model) -> AttributePrompts:
    """Return the sentences and pooling of the model's protocol, by default those of X-VLM's."""
    prompts: AttributePrompts = getattr(model, "attribute_prompts", AttributePrompts())
    return prompts


@lru_cache(maxsize=4)
def _prompts(attributes: tuple[Attribute, ...], prompt: str) -> Prompts:
    """Return the same sentences for every batch."""
    return Prompts.of(attributes, prompt)


def _scores(prediction: Prediction, box: SampleId, count: int) -> Sequence[float]:
    """Return the predicted scores of a box. Raises DataError for anything but `count` numbers."""
    if (
        isinstance(prediction, list)
        and len(prediction) == count
        and all(map(is_number, prediction))
    ):
        return prediction
    raise DataError(
        f"the prediction for box {box} should be {count} numbers, but is {reprlib.repr(prediction)}"
    )
