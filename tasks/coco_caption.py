"""COCO captions: describe an image in a sentence.

Data: COCO 2014 (Chen et al. 2015, arXiv 1504.00325) by the Karpathy split. Protocol: X-VLM's `Captioning.py`, scored by pycocoevalcap over
all images of the split at once (CIDEr weighs words by the images that are scored).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.capabilities import Captioner
from harness.errors import DataError
from harness.formats.coco import coco_images
from harness.formats.folder import DataFolder, Needed, path_within
from harness.formats.karpathy import coco_id, read_flat_captions, read_karpathy
from harness.formats.submissions import match_predictions, read_captions
from harness.metrics.captions import score
from harness.metrics.java import java_environment
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task

FOLDERS = ("coco/", "karpathy/", "data/finetune/", "finetune/", "")
CAPTIONS = {
    split: Needed(
        (
            *(f"{place}dataset_coco.json" for place in FOLDERS),
            *(f"{place}coco_karpathy_{split}.json" for place in FOLDERS),
        ),
        "the captions by the Karpathy split: its own file, or ALBEF's list",
        "http://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
    )
    for split in ("test", "val")
}
IMAGES = coco_images("val2014")


@dataclass(frozen=True)
class Picture(Sample):
    """An image and the captions that people gave it, in the order of the file; its id is COCO's number."""

    captions: tuple[str, ...]


class COCOCaption(Task):
    """Image captioning on the Karpathy split, one sample an image."""

    name: ClassVar[str] = "coco-caption"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("test", "val")
    primary: ClassVar[str] = "cider"
    needs: ClassVar[type] = Captioner
    protocol: ClassVar[str] = "pycocoevalcap|karpathy"

    def files(self, split: str) -> Sequence[Needed]:
        """Name the captions and the images."""
        return (CAPTIONS[split], IMAGES)

    def check_environment(self) -> None:
        """Raise MissingError where there is no Java, which the scorers run on."""
        java_environment()

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the images of a split with their captions."""
        path, images = data.path(CAPTIONS[split]), data.expected_path(IMAGES)
        pictures = (
            read_karpathy(path, split)
            if path.name.startswith("dataset_")
            else read_flat_captions(path)
        )
        if not pictures:
            raise DataError(f"{path}: has no image of the split {split}")
        return [
            Picture(
                id=coco_id(picture, where=path),
                images=(path_within(images, picture.name, where=f"{path}, image {picture.image}"),),
                captions=picture.captions,
            )
            for picture in pictures
        ]

    def counts(self, samples: Sequence[Picture]) -> Mapping[str, int]:
        """Count the captions too."""
        return {
            **super().counts(samples),
            "captions": sum(len(sample.captions) for sample in samples),
        }

    def predict(self, model: Captioner, batch: Batch) -> Sequence[Prediction]:
        """Return a caption for each image."""
        captions = list(model.caption(batch.images))
        return [captions[image] for image in batch.image_of[:, 0]]

    def fallback_prediction(self, sample: Picture) -> Prediction:
        """Return no words at all."""
        return ""

    def score(
        self, samples: Sequence[Picture], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return BLEU-1 to 4, METEOR, ROUGE-L and CIDEr, and SPICE where its models are."""
        captions = [_caption(predictions[sample.id], sample.id) for sample in samples]
        scores = score(captions, [sample.captions for sample in samples])
        each = {name: scores.statistics[name].each().tolist() for name in ("cider", "rouge_l")}
        return Scores(scores.overall, scores.statistics, each, not_run=scores.not_run)

    def score_official(self, samples: Sequence[Picture], path: Path) -> Scores:
        """Score COCO's caption results: a JSON list of `image_id` and `caption`."""
        return self.score(
            samples, match_predictions(path, read_captions(path), [sample.id for sample in samples])
        )


def _caption(prediction: Prediction, image_id: SampleId) -> str:
    if not isinstance(prediction, str):
        raise DataError(
            f"the prediction for image {image_id} should be a text, but is {prediction!r}"
        )
    return re.sub(r"\s+", " ", prediction)
