"""Labels: which of all labels of a JSONL file does an image show? By similarity, zero-shot.

`DATA/labels/test.jsonl` has a line `{"id": 1, "image": "a.jpg", "label": "red circle"}` for each
image in `DATA/labels/images`.
"""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.capabilities import AttributeMatcher, DualEncoder
from harness.errors import DataError
from harness.formats.folder import Needed, relative_path_within
from harness.formats.submissions import match_predictions
from harness.statistics.means import mean_of
from harness.task import Sample, Scores, Task

LABELS = Needed(("labels/test.jsonl",), "images and their labels", "their author")
IMAGES = Needed(("labels/images",), "the images", "their author", folder=True)


@dataclass(frozen=True)
class Labelled(Sample):
    label: str
    labels: tuple[str, ...]


class Labels(Task):
    name: ClassVar[str] = "labels"
    version, splits, primary = 1, ("test",), "accuracy"
    needs, protocol = (DualEncoder, AttributeMatcher), "best-of-all-labels"
    weights_of, extra = "ovad", True  # the released weights that can predict it

    def files(self, split):
        return (LABELS, IMAGES)

    def load(self, data, split):
        path, images = data.path(LABELS), data.path(IMAGES)
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            labels = tuple(sorted({row["label"] for row in rows}))
            names = [relative_path_within(row["image"], where=str(path)) for row in rows]
            return [
                Labelled(row["id"], (images / name,), row["label"], labels)
                for row, name in zip(rows, names, strict=True)
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: is not a list of labelled images ({error!r})") from error

    def annotation(self, sample):
        return (sample.label,)

    def predict(self, model, batch):
        labels = batch.samples[0].labels
        images = batch.images[batch.image_of[:, 0]]
        if isinstance(model, DualEncoder):
            features = model.encode_images(images), model.encode_texts(labels)
            scores = np.asarray(features[0].cpu() @ features[1].cpu().T)
        else:
            scores = model.similarity(images, labels)
        return [labels[best] for best in scores.argmax(axis=1)]

    def fallback_prediction(self, sample):
        return ""

    def score(self, samples, predictions):
        right = [100.0 * (predictions[sample.id] == sample.label) for sample in samples]
        return Scores(
            metrics={"accuracy": sum(right) / len(right)},
            statistics={"accuracy": mean_of(right)},
            by_sample={"accuracy": right},
        )

    def score_official(self, samples, path):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found = [(row["id"], row["label"]) for row in rows]
        return self.score(samples, match_predictions(path, found, [s.id for s in samples]))
