"""Image-text retrieval on COCO and Flickr30K: find the texts of an image, and the image of a text.

Data: COCO 2014 and Flickr30K by the Karpathy split. Protocol: X-VLM's `Retrieval.py`: the `k_test` likeliest by the cosine of features are
scored by the matching head, whose logit alone ranks them (`itm_eval`); all captions of an image count, 25,010 on COCO.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.capabilities import Gallery, Retriever
from harness.errors import DataError
from harness.formats.coco import coco_images
from harness.formats.folder import DataFolder, Needed, below
from harness.formats.karpathy import read_flat_captions, read_karpathy
from harness.formats.matches import as_prediction, stored_pairs
from harness.formats.matrices import read_matrices
from harness.metrics.pairs import PROTOCOLS, places
from harness.metrics.retrieval import ranks, recalls, statistics, summary
from harness.task import GalleryTask, Prediction, Sample, SampleId, Scores
from harness.workload import Workload

FOLDERS = ("{dataset}/", "karpathy/", "data/finetune/", "finetune/", "")
KARPATHY = "http://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


def _captions(dataset: str, split: str) -> Needed:
    names = (f"dataset_{dataset}.json", f"{dataset}_{split}.json")
    places = tuple(
        f"{folder.format(dataset=dataset)}{name}" for name in names for folder in FOLDERS
    )
    return Needed(
        places, "the captions by the Karpathy split: its own file, or ALBEF's list", KARPATHY
    )


@dataclass(frozen=True)
class Picture(Sample):
    """An image of the gallery and its captions; its id is its file's name."""

    captions: tuple[str, ...]


class Retrieval(GalleryTask):
    """Both directions in one pass: a sample is an image, its prediction the texts compared with it and their scores."""

    splits: ClassVar[tuple[str, ...]] = ("test", "val")
    primary: ClassVar[str] = "i2t_r1"
    needs: ClassVar[type] = Retriever
    dataset: ClassVar[str]
    shortlist: ClassVar[int]
    images: ClassVar[Needed]

    def files(self, split: str) -> Sequence[Needed]:
        """Name the captions and the images."""
        return (_captions(self.dataset, split), self.images)

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the gallery of a split."""
        path, images = data.path(_captions(self.dataset, split)), data.place(self.images)
        pictures = (
            read_karpathy(path, split)
            if path.name.startswith("dataset_")
            else read_flat_captions(path)
        )
        if not pictures:
            raise DataError(f"{path}: has no image of the split {split}")
        return [
            Picture(
                picture.name,
                (below(images, picture.name, where=f"{path}, image {picture.image}"),),
                picture.captions,
            )
            for picture in pictures
        ]

    def workload(self, samples: Sequence[Picture]) -> Workload:
        """Every image looks for texts and every text for images; a pair that both have found is computed once.

        The fewer images find few texts that have not found them: COCO's two lists of 1,280,000 and 6,402,560 pairs unite to little more
        than the longer one.
        """
        workload = super().workload(samples)
        images, texts = workload.images, len(workload.texts)
        by_image, by_text = images * min(self.shortlist, texts), texts * min(self.shortlist, images)
        return workload._replace(
            pairs=max(by_image, by_text), pairs_at_most=min(by_image + by_text, images * texts)
        )

    def counts(self, samples: Sequence[Picture]) -> Mapping[str, int]:
        """Count the captions too."""
        return {
            **super().counts(samples),
            "captions": sum(len(sample.captions) for sample in samples),
        }

    def texts(self, sample: Picture) -> Sequence[str]:
        """Return the captions of an image."""
        return sample.captions

    def predict_gallery(
        self, model: Retriever, samples: Sequence[Picture], gallery: Gallery, wanted: Container[int]
    ) -> Iterator[tuple[SampleId, Prediction]]:
        """Yield the texts that each wanted image was compared with, and their scores."""
        texts = [caption for sample in samples for caption in sample.captions]
        for matches in model.retrieve(gallery, texts, shortlist=self.shortlist, wanted=wanted):
            yield samples[matches.image].id, as_prediction(matches)

    def fallback_prediction(self, sample: Picture) -> Prediction:
        """Return that it was compared with no text, so that neither side finds the other."""
        return {"texts": [], "itc": [], "itm": []}

    def score(
        self, samples: Sequence[Picture], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return recalls both ways by the matching score (X-VLM), and in `breakdown` by the two other protocols of the family."""
        counts = [len(sample.captions) for sample in samples]
        pairs = stored_pairs(
            [(sample.id, predictions[sample.id]) for sample in samples], texts=sum(counts)
        )
        by_protocol = {
            name: places(pairs, counts, shortlist=self.shortlist, protocol=name)
            for name in PROTOCOLS
        }
        found = {
            name: dict(summary(recalls(i2t.place, prefix="i2t"), recalls(t2i.place, prefix="t2i")))
            for name, (i2t, t2i) in by_protocol.items()
        }
        i2t, t2i = by_protocol["itm"]
        outside = {
            "i2t_outside": 100 * float(i2t.outside.mean()),
            "t2i_outside": 100 * float(t2i.outside.mean()),
        }
        breakdown = {
            "outside_of_shortlist": outside,
            "itm+itc": found["itm+itc"],
            "itc": found["itc"],
        }
        return _scores(i2t.place, t2i.place, counts, breakdown)

    def score_official(self, samples: Sequence[Picture], path: Path) -> Scores:
        """Score the matrices `score_matrix_i2t` [images, texts] and `score_matrix_t2i` [texts, images] of an .npz file, as X-VLM has them.

        What was not looked at is -100 there, and stays behind whatever was.
        """
        counts = [len(sample.captions) for sample in samples]
        i2t, t2i = read_matrices(path, images=len(samples), texts=sum(counts))
        image_of = np.repeat(np.arange(len(counts)), counts)
        texts_of = [np.flatnonzero(image_of == image) for image in range(len(counts))]
        return _scores(ranks(i2t, texts_of), ranks(t2i, image_of[:, None]), counts, {})


class COCORetrieval(Retrieval):
    """The 5,000 images and 25,010 captions of COCO's Karpathy test split."""

    name: ClassVar[str] = "coco-retrieval"
    version: ClassVar[int] = 1
    dataset: ClassVar[str] = "coco"
    shortlist: ClassVar[int] = 256
    protocol: ClassVar[str] = "itm-only|k=256|karpathy"
    images: ClassVar[Needed] = coco_images("val2014")


class Flickr30KRetrieval(Retrieval):
    """The 1,000 images and 5,000 captions of Flickr30K's Karpathy test split."""

    name: ClassVar[str] = "flickr30k-retrieval"
    version: ClassVar[int] = 1
    dataset: ClassVar[str] = "flickr30k"
    shortlist: ClassVar[int] = 128
    protocol: ClassVar[str] = "itm-only|k=128|karpathy"
    images: ClassVar[Needed] = Needed(
        ("images/flickr30k-images", "flickr30k-images", "flickr30k/images"),
        "the folder of Flickr30K's images (4.4 GB)",
        "the form at https://forms.illinois.edu/sec/229675",
        folder=True,
    )


def _scores(
    i2t: NDArray[np.int64],
    t2i: NDArray[np.int64],
    captions: Sequence[int],
    breakdown: Mapping[str, Mapping[str, float]],
) -> Scores:
    """Return the scores of places; image n has `captions[n]` texts: it got what it finds, and the share of them that find it."""
    metrics = summary(recalls(i2t, prefix="i2t"), recalls(t2i, prefix="t2i"))
    found_by = [
        100 * float((texts < 1).mean()) if len(texts) else 0.0
        for texts in np.split(t2i, np.cumsum(captions)[:-1])
    ]
    by_sample = {"i2t_r1": (100.0 * (i2t < 1)).tolist(), "t2i_r1": found_by}
    return Scores(dict(metrics), statistics(i2t, t2i, captions), by_sample, breakdown)
