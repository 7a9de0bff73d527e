"""COCO captions: describe an image in a sentence.

Data: COCO 2014 by the Karpathy split. Protocol: X-VLM's `Captioning.py`, scored by pycocoevalcap
over all images of the split at once, since CIDEr weighs words by the images that are scored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Captioner
from harness.dataset import Dataset, Digest
from harness.errors import DataError
from harness.formats.coco import COCO_CAPTIONS, KARPATHY_ARCHIVE, coco_images
from harness.formats.folder import DataFolder, Needed, path_within
from harness.formats.karpathy import coco_id, read_flat_captions, read_karpathy
from harness.formats.submissions import match_predictions, read_captions
from harness.images import image_file
from harness.metrics.captions import score
from harness.metrics.java import java_environment
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task

LAVIS = "salesforce/LAVIS, lavis/configs/datasets/coco/defaults_cap.yaml"
DATASET = replace(
    COCO_CAPTIONS,
    digests={
        "coco_karpathy_val.json": Digest("md5", "b273847456ef5580e33713b1f7de52a0", LAVIS),
        "coco_karpathy_test.json": Digest("md5", "3ff34b0ef2db02d01c37399f6a2a6cd1", LAVIS),
    },
)

FOLDERS = ("coco/", "karpathy/", "data/finetune/", "finetune/", "")
CAPTIONS = {
    split: Needed(
        tuple(
            f"{folder}{name}"
            for name in ("dataset_coco.json", f"coco_karpathy_{split}.json")
            for folder in FOLDERS
        ),
        "the captions by the Karpathy split: its own file, or ALBEF's list",
        KARPATHY_ARCHIVE.address,
    )
    for split in ("test", "val")
}
IMAGES = coco_images("val2014")


@dataclass(frozen=True)
class Picture(Sample):
    """An image and its reference captions, in the order of the file; its id is COCO's number."""

    captions: tuple[str, ...]


class COCOCaption(Task):
    """Image captioning on the Karpathy split, one sample per image."""

    name: ClassVar[str] = "coco-caption"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("test", "val")
    primary: ClassVar[str] = "cider"
    needs: ClassVar[type] = Captioner
    protocol: ClassVar[str] = "pycocoevalcap|karpathy"
    dataset: ClassVar[Dataset] = DATASET

    def files(self, split: str) -> Sequence[Needed]:
        """Name the captions and the images."""
        return (CAPTIONS[split], IMAGES)

    def check_environment(self) -> None:
        """Raise MissingError without Java, which the scorers run on."""
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
        """Add the number of reference captions."""
        captions = sum(len(sample.captions) for sample in samples)
        return {**super().counts(samples), "captions": captions}

    def flat_lists(self, samples: Mapping[str, Sequence[Picture]]) -> Mapping[str, Any]:
        """Return ALBEF's lists, and the references in COCO's format, which X-VLM's scorer reads."""
        lists: dict[str, Any] = {}
        for split, pictures in samples.items():
            lists[f"coco_karpathy_{split}.json"] = [
                {
                    "image": f"val2014/{image_file(picture.images[0]).name}",
                    "caption": list(picture.captions),
                }
                for picture in pictures
            ]
            captions = [(picture.id, text) for picture in pictures for text in picture.captions]
            lists[f"coco_karpathy_{split}_gt.json"] = {
                "images": [{"id": picture.id} for picture in pictures],
                "annotations": [
                    {"id": number, "image_id": image_id, "caption": text}
                    for number, (image_id, text) in enumerate(captions)
                ],
            }
        return lists

    def predict(self, model: Captioner, batch: Batch) -> Sequence[Prediction]:
        """Return a caption for each image."""
        captions = list(model.caption(batch.images))
        return [captions[image] for image in batch.image_of[:, 0]]

    def fallback_prediction(self, sample: Picture) -> Prediction:
        """Return the empty caption."""
        return ""

    def score(
        self, samples: Sequence[Picture], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return BLEU-1 to 4, METEOR, ROUGE-L and CIDEr, and SPICE where its models are."""
        captions = [_caption(predictions[sample.id], sample.id) for sample in samples]
        scores = score(captions, [sample.captions for sample in samples])
        by_sample = {name: scores.statistics[name].each().tolist() for name in ("cider", "rouge_l")}
        return Scores(scores.overall, scores.statistics, by_sample, not_run=scores.not_run)

    def score_official(self, samples: Sequence[Picture], path: Path) -> Scores:
        """Score COCO's caption results: a JSON list of `image_id` and `caption`."""
        return self.score(samples, self.official_predictions(samples, path))

    def official_predictions(
        self, samples: Sequence[Picture], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the predictions of such a file."""
        return match_predictions(path, read_captions(path), [sample.id for sample in samples])


def _caption(prediction: Prediction, image_id: SampleId) -> str:
    """Return a predicted caption on one line. Raises DataError for anything but a text."""
    if not isinstance(prediction, str):
        raise DataError(
            f"the prediction for image {image_id} should be a text, but is {prediction!r}"
        )
    return re.sub(r"\s+", " ", prediction)
