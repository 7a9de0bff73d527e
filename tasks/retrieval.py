"""Image-text retrieval on COCO and Flickr30K: find the texts of an image, and the image of a text.

Data: COCO 2014 and Flickr30K by the Karpathy split; all captions of an image count, 25,010 on COCO.
Protocol: X-VLM's `Retrieval.py`: the `k_test` candidates with the highest cosine of features are
scored by the matching head, whose logit alone ranks them (`itm_eval`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import DualEncoder, Matches, Model, PairScorer, Ranking
from harness.dataset import Dataset
from harness.formats.coco import (
    COCO_CAPTIONS,
    caption_lists,
    coco_images,
)
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.karpathy import read_captioned_images
from harness.formats.matches import (
    as_prediction,
    parse_pairs,
    ranking_of,
    refuse_cut_shortlists,
    shortlist_of,
)
from harness.formats.matrices import read_matrices
from harness.metrics.pairs import shortlist_ranks
from harness.metrics.retrieval import ranks, recalls, statistics, summary
from harness.sample_view import SampleView
from harness.task import GalleryTask, Prediction, Sample, SampleId, Scores
from tasks.flickr30k_files import FLICKR30K, FLICKR30K_IMAGES
from tasks.retrieval_view import Gallery

# The names of the rankings in the protocols of records.
RULES: Mapping[Ranking, str] = {"itm": "itm-only", "itm+itc": "itm+itc", "itc": "itc-only"}


@dataclass(frozen=True)
class Picture(Sample):
    """An image of the gallery and its captions.

    Its id is its path below the collection's own folder of images: the name of its file, unless
    the annotation names another folder. `name` has the folder, as in lists: `val2014/....jpg`.
    """

    captions: tuple[str, ...]
    name: str


class Retrieval(GalleryTask[Picture]):
    """Both directions in one pass, one sample per image.

    A prediction lists the texts that were compared with the image, and their scores.
    """

    splits: ClassVar[tuple[str, ...]] = ("test", "val")
    primary: ClassVar[str] = "i2t_r1"
    needs: ClassVar[tuple[type, ...]] = (PairScorer, DualEncoder)
    collection: ClassVar[str]  # as the file names of annotations have it
    shortlist: ClassVar[int]
    images: ClassVar[Needed]
    division: ClassVar[str] = "karpathy"  # whose splits: a part of the protocol, if it has any

    def files(self, split: str) -> Sequence[Needed]:
        """Name the captions and the images."""
        return (caption_lists(self.collection, split), self.images)

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the gallery of a split."""
        path = data.path(caption_lists(self.collection, split))
        images = image_folder(data, self.images)
        return [
            Picture(
                images.relative(picture.image),
                (images.image(picture.image, where=str(path)),),
                picture.captions,
                images.full_name(picture.image),
            )
            for picture in read_captioned_images(path, split)
        ]

    def counts(self, samples: Sequence[Picture]) -> Mapping[str, int]:
        """Add the number of captions."""
        captions = sum(len(sample.captions) for sample in samples)
        return {**super().counts(samples), "captions": captions}

    def flat_lists(self, samples: Mapping[str, Sequence[Picture]]) -> Mapping[str, Any]:
        """Return ALBEF's lists of images with their captions."""
        return {
            f"{self.collection}_{split}.json": [
                {"image": picture.name, "caption": list(picture.captions)} for picture in pictures
            ]
            for split, pictures in samples.items()
        }

    def texts(self, sample: Picture) -> Sequence[str]:
        """Return the captions of an image."""
        return sample.captions

    def viewer(
        self, samples: Sequence[Picture], predictions: Mapping[SampleId, Prediction]
    ) -> Callable[[Picture], SampleView]:
        """Show the texts that an image retrieves first, and at which rank its own retrieve it."""
        gallery = Gallery(samples, predictions, shortlist=self.shortlist)
        return lambda sample: gallery.view(sample.id)

    def protocol_of(self, model: Model) -> str:
        """Return the protocol of a record: the ranking, the shortlist, whose splits, the model."""
        rule = model.ranking if isinstance(model, PairScorer) else "itc"
        division = f"|{self.division}" if self.division else ""
        return f"{RULES[rule]}|k={self.shortlist_of(model)}{division}|{model.protocol}"

    def as_prediction(self, matches: Matches) -> Prediction:
        """Return the texts that an image was compared with, and their scores."""
        return as_prediction(matches, shortlist=self.shortlist)

    def fallback_prediction(self, sample: Picture) -> Prediction:
        """Return no compared text, so that image and texts do not retrieve one another."""
        return {"texts": [], "itc": [], "itm": []}

    def score(
        self, samples: Sequence[Picture], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the recalls of both directions, ranked by the model's protocol.

        `breakdown` holds them by the other protocols that the model's scores allow.
        """
        counts = [len(sample.captions) for sample in samples]
        of_images = [(sample.id, predictions[sample.id]) for sample in samples]
        ranking = ranking_of(of_images)
        pairs = parse_pairs(of_images, texts=sum(counts), ranking=ranking)
        shortlist = shortlist_of(of_images) or self.shortlist
        refuse_cut_shortlists(
            pairs, [id for id, _ in of_images], texts=sum(counts), shortlist=shortlist
        )
        by_protocol = shortlist_ranks(pairs, counts, shortlist=shortlist)
        i2t, t2i = by_protocol.pop(ranking)
        outside = {
            "i2t_outside": 100 * float(i2t.outside.mean()),
            "t2i_outside": 100 * float(t2i.outside.mean()),
        }
        others = {
            name: dict(summary(recalls(a.rank, prefix="i2t"), recalls(b.rank, prefix="t2i")))
            for name, (a, b) in by_protocol.items()
            if ranking != "itc"  # otherwise there is no other score
        }
        return _scores(i2t.rank, t2i.rank, counts, {"outside_of_shortlist": outside, **others})

    def score_official(self, samples: Sequence[Picture], path: Path) -> Scores:
        """Score X-VLM's matrices in an .npz file.

        `score_matrix_i2t` is [images, texts], `score_matrix_t2i` [texts, images]; a pair that was
        not compared is -100 and ranks behind all that were.
        """
        counts = [len(sample.captions) for sample in samples]
        i2t, t2i = read_matrices(path, images=len(samples), texts=sum(counts))
        image_of = np.repeat(np.arange(len(counts)), counts)
        texts_of = [np.flatnonzero(image_of == image) for image in range(len(counts))]
        return _scores(ranks(i2t, texts_of), ranks(t2i, image_of[:, None]), counts, {})


class COCORetrieval(Retrieval):
    """Retrieval on COCO's Karpathy splits of 5,000 images and 25,010 captions."""

    name: ClassVar[str] = "coco-retrieval"
    version: ClassVar[int] = 1
    collection: ClassVar[str] = "coco"
    shortlist: ClassVar[int] = 256
    protocol: ClassVar[str] = "itm-only|k=256|karpathy"
    images: ClassVar[Needed] = coco_images("val2014")
    dataset: ClassVar[Dataset] = COCO_CAPTIONS


class Flickr30KRetrieval(Retrieval):
    """Retrieval on Flickr30K's Karpathy splits; test has 1,000 images and 5,000 captions."""

    name: ClassVar[str] = "flickr30k-retrieval"
    version: ClassVar[int] = 1
    collection: ClassVar[str] = "flickr30k"
    shortlist: ClassVar[int] = 128
    protocol: ClassVar[str] = "itm-only|k=128|karpathy"
    images: ClassVar[Needed] = Needed(
        (
            "images/flickr30k-images",
            "flickr30k-images",
            "flickr30k/images/flickr30k-images",
            "flickr30k/images",
        ),
        "the folder of Flickr30K's images (4.4 GB)",
        FLICKR30K_IMAGES.instructions,
        folder=True,
    )
    dataset: ClassVar[Dataset] = FLICKR30K


def _scores(
    i2t: NDArray[np.int64],
    t2i: NDArray[np.int64],
    captions: Sequence[int],
    breakdown: Mapping[str, Mapping[str, float]],
) -> Scores:
    """Return the scores of ranks, counted from 0; `captions` holds the number of texts per image.

    A sample's own scores are whether it retrieves one of its texts first, and the share of its
    texts that retrieve it first.
    """
    metrics = summary(recalls(i2t, prefix="i2t"), recalls(t2i, prefix="t2i"))
    retrieved = [
        100 * float((texts < 1).mean()) if len(texts) else 0.0
        for texts in np.split(t2i, np.cumsum(captions)[:-1])
    ]
    by_sample = {"i2t_r1": (100.0 * (i2t < 1)).tolist(), "t2i_r1": retrieved}
    return Scores(dict(metrics), statistics(i2t, t2i, captions), by_sample, breakdown)
