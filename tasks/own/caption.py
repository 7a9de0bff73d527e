"""Captioning own images: COCO's metrics against captions of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.formats.folder import DataFolder
from harness.formats.own.entries import read_captioned
from harness.formats.own.predictions import read_captions
from harness.formats.submissions import match_predictions
from harness.task import Prediction, SampleId, Scores
from tasks.coco_caption import COCOCaption, Picture
from tasks.own.data import OwnData, captioned_images, own_folder

FEW = 100  # images, below which CIDEr's weights of words say little


class OwnCaption(OwnData, COCOCaption):
    """Image captioning on own data, one sample per image."""

    name: ClassVar[str] = "own-caption"
    version: ClassVar[int] = 1
    weights_of: ClassVar[str] = "coco-caption"
    protocol: ClassVar[str] = "pycocoevalcap"
    truth: ClassVar[str] = "captions"

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the images with their captions."""
        own = own_folder(data, self)
        entries = read_captioned(own.annotations, kind="caption", images=own.root, more=own.more)
        return captioned_images(entries, own, Picture)

    def score(
        self, samples: Sequence[Picture], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return COCO's metrics; none without captions."""
        if not samples[0].captions:
            return self.not_scored()
        scores = super().score(samples, predictions)
        if len(samples) >= FEW:
            return scores
        few = (
            f"CIDEr weighs words by how many of the {len(samples)} images mention them: it says "
            f"little of fewer than {FEW} images, and of one it is always 0"
        )
        return replace(scores, caveats=[*scores.caveats, few])

    def export(
        self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Any]]:
        """Return captions by id."""
        return [{"id": sample.id, "caption": predictions[sample.id]} for sample in samples]

    def official_predictions(
        self, samples: Sequence[Picture], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the captions of a file of `id` and `caption`."""
        return match_predictions(path, read_captions(path), [sample.id for sample in samples])
