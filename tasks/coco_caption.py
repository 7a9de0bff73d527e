"""COCO captions: describe an image in a sentence.

Data: COCO 2014 by the Karpathy split. Protocol: X-VLM's `Captioning.py`, scored by pycocoevalcap
over all images of the split at once, since CIDEr weighs words by the images that are scored.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Captioner
from harness.dataset import Dataset
from harness.errors import DataError, ModelError
from harness.formats.coco import COCO_CAPTIONS, caption_lists, coco_images
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.karpathy import caption_id, read_captioned_images
from harness.formats.submissions import match_predictions, read_captions
from harness.metrics.captions import begin_trial, score, try_scorers
from harness.sample_view import Details, Item, SampleView
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task

CAPTIONS = {split: caption_lists("coco", split) for split in ("test", "val")}
IMAGES = coco_images("val2014")


@dataclass(frozen=True)
class Picture(Sample):
    """An image and its reference captions, in the order of the file; its id is COCO's number.

    `name` is its path below COCO's folder of images, as in lists: `val2014/....jpg`.
    """

    captions: tuple[str, ...]
    name: str


class COCOCaption(Task[Picture, Captioner]):
    """Image captioning on the Karpathy split, one sample per image."""

    name: ClassVar[str] = "coco-caption"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("test", "val")
    primary: ClassVar[str] = "cider"
    needs: ClassVar[tuple[type, ...]] = (Captioner,)
    protocol: ClassVar[str] = "pycocoevalcap|karpathy"
    dataset: ClassVar[Dataset] = COCO_CAPTIONS

    def files(self, split: str) -> Sequence[Needed]:
        """Name the captions and the images."""
        return (CAPTIONS[split], IMAGES)

    def check_environment(self) -> None:
        """Score one caption. Raises MissingError where Java or the scorers do not work."""
        try_scorers()

    def begin_trial(self) -> Callable[[], None]:
        """Tokenize one caption, start METEOR, and let it score the caption later."""
        return begin_trial()

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the images of a split with their captions."""
        path, images = data.path(CAPTIONS[split]), image_folder(data, IMAGES)
        return [
            Picture(
                id=caption_id(picture),
                images=(images.image(picture.image, where=str(path)),),
                captions=picture.captions,
                name=images.full_name(picture.image),
            )
            for picture in read_captioned_images(path, split)
        ]

    def counts(self, samples: Sequence[Picture]) -> Mapping[str, int]:
        """Add the number of reference captions."""
        captions = sum(len(sample.captions) for sample in samples)
        return {**super().counts(samples), "captions": captions}

    def annotation(self, sample: Picture) -> Sequence[str]:
        """Return the reference captions."""
        return sample.captions

    def flat_lists(self, samples: Mapping[str, Sequence[Picture]]) -> Mapping[str, Any]:
        """Return ALBEF's lists, and the references in COCO's format, which X-VLM's scorer reads."""
        lists: dict[str, Any] = {}
        for split, pictures in samples.items():
            lists[f"coco_karpathy_{split}.json"] = [
                {"image": picture.name, "caption": list(picture.captions)} for picture in pictures
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

    def view(self, sample: Picture, prediction: Prediction) -> SampleView:
        """Show the caption beside its references."""
        references = Details("References", tuple(map(Item, sample.captions)), references=True)
        truth = sample.captions[0] if sample.captions else None
        return replace(super().view(sample, prediction), truth=truth, details=(references,))

    def predict(self, model: Captioner, batch: Batch[Picture]) -> Sequence[Prediction]:
        """Return a caption for each image. Raises ModelError for another number of captions."""
        captions = list(model.caption(batch.images))
        images = int(batch.image_of.max()) + 1
        if len(captions) != images:
            raise ModelError(f"{self.name}: the model returns {len(captions)} captions of {images}")
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
