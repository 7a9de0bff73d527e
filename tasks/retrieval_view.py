"""What retrieval looks like: what an image and its texts retrieve first, and the ranks of its own.

The ranks are those that are scored: of the shortlisted candidates, by the model's own ranking.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.formats.matches import parse_pairs, ranking_of, shortlist_of
from harness.images import View
from harness.metrics.pairs import PROTOCOLS, RetrievalRanks, ScoredPairs, shortlist_ranks
from harness.sample_view import Details, Item, PairScores, Picture, SampleView
from harness.task import Prediction, SampleId

FIRST = 10  # texts that are shown of an image, and images of a text
TITLES = {"itm": "matching score", "itm+itc": "matching score + cosine", "itc": "cosine"}


class Captioned(Protocol):
    """An image with its captions."""

    @property
    def id(self) -> SampleId: ...
    @property
    def images(self) -> tuple[View, ...]: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


class Gallery:
    """The images of a split with all captions, and the scores of the pairs that were compared.

    `shortlist` is the task's number of candidates, for predictions that name none.
    """

    def __init__(
        self,
        samples: Sequence[Captioned],
        predictions: Mapping[SampleId, Prediction],
        *,
        shortlist: int,
    ) -> None:
        self._samples = samples
        self._predictions = predictions
        self._default_shortlist = shortlist
        self._numbers = {sample.id: number for number, sample in enumerate(samples)}
        counts = [len(sample.captions) for sample in samples]
        self._ends = np.cumsum([0, *counts])

    def view(self, id: SampleId) -> SampleView:
        """Return the view of an image; without predictions, of its captions only.

        Raises DataError for malformed predictions.
        """
        number = self._numbers[id]
        sample = self._samples[number]
        pictures = (Picture(sample.images[0]),)
        if not self._predictions:
            captions = Details("Captions", tuple(map(Item, sample.captions)))
            return SampleView(
                pictures, truth=next(iter(sample.captions), None), details=(captions,)
            )
        first, ranked, right, scores = self._ranked(number)
        truths = np.flatnonzero(right)
        rank = f"rank {truths[0] + 1}" if len(truths) else "outside of the shortlist"
        texts = Details(
            f"First {len(first)} texts of {len(ranked)}, by {TITLES[self._ranking]}; "
            f"the first of its own: {rank}",
            tuple(
                Item(self._texts[text], float(score), bool(its_own))
                for text, score, its_own in zip(first, scores, right, strict=False)
            ),
        )
        return SampleView(
            pictures,
            truth=next(iter(sample.captions), None),
            prediction=self._texts[first[0]] if len(first) else "no text",
            details=(texts, self._captions(number)),
            pairs=tuple(self._pair_scores(number)),
        )

    def _ranked(
        self, number: int
    ) -> tuple[list[int], NDArray[np.int64], NDArray[np.bool_], NDArray[np.floating[Any]]]:
        """Return the first texts of an image; all shortlisted ones in order, own?, scores."""
        pairs, part = self._pairs, self._parts[number]
        texts, itc = pairs.text[part], pairs.itc[part]
        score = PROTOCOLS[self._ranking](itc, pairs.itm[part])
        kept = np.lexsort((texts, -itc))[: self._shortlist]
        # Of equal scores, the later index comes first, as `shortlist_ranks` counts.
        order = kept[np.lexsort((-texts[kept], -score[kept]))]
        ranked = texts[order]
        own = (ranked >= self._ends[number]) & (ranked < self._ends[number + 1])
        return ranked[:FIRST].tolist(), ranked, own, score[order]

    def _captions(self, number: int) -> Details:
        """Return the captions of an image, the rank of it for each, and the images before it."""
        ranks = self._ranks.t2i
        items = []
        for text in range(self._ends[number], self._ends[number + 1]):
            caption, rank = self._texts[text], int(ranks.rank[text])
            if ranks.outside[text]:
                place, before = "outside of the shortlist", self._images_of(text)
            else:
                place, before = f"rank {rank + 1}", self._images_of(text)[:rank]
            names = ", ".join(str(self._samples[image].id) for image in before)
            place += f", after {names}" if names else ""
            right = None if ranks.outside[text] else rank == 0
            items.append(Item(f"{caption} ({place})", right=right))
        title = f"Its captions, the rank of this image among all, and up to {FIRST} before it"
        return Details(title, tuple(items))

    def _images_of(self, text: int) -> list[int]:
        """Return the first images of a text."""
        pairs, part = self._pairs, self._by_text[self._text_ends[text] : self._text_ends[text + 1]]
        kept = part[np.lexsort((pairs.image[part], -pairs.itc[part]))[: self._shortlist]]
        score = PROTOCOLS[self._ranking](pairs.itc[kept], pairs.itm[kept])
        return pairs.image[kept[np.lexsort((-pairs.image[kept], -score))]][:FIRST].tolist()

    def _pair_scores(self, number: int) -> list[PairScores]:
        pairs, part = self._pairs, self._parts[number]
        own = (pairs.text[part] >= self._ends[number]) & (pairs.text[part] < self._ends[number + 1])
        scores = {"cosine": pairs.itc[part]}
        if self._ranking != "itc":
            scores["matching score"] = pairs.itm[part]
        return [PairScores(name, values[own], values[~own]) for name, values in scores.items()]

    @cached_property
    def _texts(self) -> list[str]:
        return [caption for sample in self._samples for caption in sample.captions]

    @cached_property
    def _of_images(self) -> list[tuple[SampleId, Prediction]]:
        return [(sample.id, self._predictions[sample.id]) for sample in self._samples]

    @cached_property
    def _ranking(self) -> Any:
        return ranking_of(self._of_images)

    @cached_property
    def _shortlist(self) -> int:
        return shortlist_of(self._of_images) or self._default_shortlist

    @cached_property
    def _pairs(self) -> ScoredPairs:
        return parse_pairs(self._of_images, texts=len(self._texts), ranking=self._ranking)

    @cached_property
    def _parts(self) -> list[slice]:
        """Return the slice of each image among the pairs, which are stored image by image."""
        ends = np.searchsorted(self._pairs.image, np.arange(len(self._samples) + 1)).tolist()
        return [slice(start, end) for start, end in pairwise(ends)]

    @cached_property
    def _by_text(self) -> NDArray[np.intp]:
        """Return the indices of the pairs, text by text."""
        return np.argsort(self._pairs.text, kind="stable")

    @cached_property
    def _text_ends(self) -> list[int]:
        """Return where the pairs of each text begin in `_by_text`, and where the last one ends."""
        counts = np.bincount(self._pairs.text, minlength=len(self._texts))
        return np.cumsum([0, *counts]).tolist()

    @cached_property
    def _ranks(self) -> RetrievalRanks:
        counts = [len(sample.captions) for sample in self._samples]
        return shortlist_ranks(self._pairs, counts, shortlist=self._shortlist)[self._ranking]
