"""Two-stage retrieval: shortlist by the cosine of features, then re-rank the candidates.

The loop behind every model that retrieves: a dual encoder ranks its shortlist by the cosine
itself, a pair scorer scores each shortlisted pair once, whichever direction shortlisted it. The
features of all processes are gathered; image states stay where they were computed, and so does the
re-ranking, but for batches that a process encodes anew to rank them in place of a slower one.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import (
    Array,
    DualEncoder,
    EncodedImages,
    Gallery,
    GroupScorer,
    ImagesOf,
    Matches,
    PairScorer,
    Ranking,
    State,
    Texts,
)
from harness.engine.device import AsyncCopy, Device
from harness.engine.encoded_gallery import Batches, EncodedGallery, as_tensor, encode_gallery
from harness.engine.shortlist import shortlist_pairs
from harness.engine.similarity import refuse_other_than_unit
from harness.errors import ModelError


def retrieve(
    model: DualEncoder[ImagesOf] | PairScorer[ImagesOf, State, Texts],
    gallery: Gallery[ImagesOf],
    texts: Sequence[str],
    *,
    shortlist: int,
    wanted: Container[int],
) -> Iterator[Matches]:
    """Yield the matches of each image of this process's share whose index is in `wanted`.

    The `shortlist` most similar texts of each image, and images of each text, are candidates. Both
    shortlists are drawn from the whole gallery and from all texts: each process encodes its own
    images, and all texts. A pair scorer then yields the matches of `gallery.others`. A dual encoder
    ranks its own images only: to rank others, it would repeat most of the work to save the least.
    """
    if isinstance(model, PairScorer):
        images = encode_gallery(gallery.batches, model.read_images).gather(gallery.all_gather)
        encoded = model.read_texts(texts)
        yield from rerank_gallery(
            images,
            as_tensor(encoded.features),
            pair_scores(model, encoded),
            ranking=model.ranking,
            shortlist=shortlist,
            wanted=wanted,
            together=model.images_at_a_time if isinstance(model, GroupScorer) else 1,
            claim=gallery.claim,
            others=_encode_others(gallery.others, model.read_images, images.states),
        )
    else:
        features = encode_gallery(gallery.batches, _without_states(model))
        yield from rerank_gallery(
            features.gather(gallery.all_gather),
            as_tensor(model.encode_texts(texts)),
            None,
            ranking="itc",
            shortlist=shortlist,
            wanted=wanted,
        )


def rerank_gallery(
    images: EncodedGallery[State],
    texts: Tensor,
    score: "Score[State] | None",
    *,
    ranking: Ranking,
    shortlist: int,
    wanted: Container[int],
    together: int = 1,
    claim: Callable[[int], bool] = lambda number: True,
    others: Iterable[EncodedGallery[State]] = (),
) -> Iterator[Matches]:
    """Yield the scores of each image in `wanted` and its candidate texts.

    `texts` [T, f] are features, beside those of the images. `score` returns the scores of a group
    of images (see `pair_scores`); None leaves the similarity alone. While the host takes the scores
    of one group, the device computes those of the next. A group of up to `together` images is
    computed whole if any of them is wanted: the last digits may depend on it. Groups that `claim`
    refuses are left out. `others` are further images of the gallery, drawn when these are done.
    Raises ModelError for features that are not unit vectors, or NaN, which no shortlist would hold.
    """
    if not images.with_features:
        return  # no image of the whole gallery can be read
    # A process without images of its own knows the device by its texts.
    device = Device((images.features if images.numbers else texts).device, "float32")
    features, texts = device.send(images.features), device.send(texts)
    refuse_other_than_unit(features, "images")
    refuse_other_than_unit(texts, "texts")
    with device.computing():
        pairs = shortlist_pairs(features, texts, shortlist)
    row_of = {number: row for row, number in enumerate(images.with_features)}

    def launch(group: _Group[State]) -> _InFlight:
        rows = [row_of[number] for number in group.numbers]
        candidates = [pairs.texts_of_image(row) for row in rows]
        row_of_pair = torch.tensor(rows).repeat_interleave(torch.tensor(list(map(len, candidates))))
        with device.computing():
            chosen = texts[device.send(torch.cat(candidates))]
            similarity = (chosen * features[device.send(row_of_pair)]).sum(-1)
        of_group = [some.numpy() for some in candidates]
        matching = None
        if score is not None:
            matching = AsyncCopy(as_tensor(score(group.states, of_group)))
        return _InFlight(
            group.numbers, of_group, AsyncCopy(similarity), matching, ranking, shortlist
        )

    own = (group for group in _groups(images, together, wanted) if claim(group.numbers[0]))
    further = (group for encoded in others for group in _groups(encoded, together, wanted))
    for groups in (own, further):  # the own ones have arrived before others are encoded
        for in_flight in _one_behind(map(launch, groups)):
            yield from in_flight.wait(wanted)


Score = Callable[[Sequence[State], Sequence[NDArray[np.int64]]], Array]


def pair_scores(model: PairScorer[ImagesOf, State, Texts], texts: Texts) -> Score[State]:
    """Return the function from a group of images, by their states, and the texts of each to scores.

    The scores of all pairs lie end to end, image after image.
    """

    def score(images: Sequence[State], candidates: Sequence[NDArray[np.int64]]) -> Array:
        if len(images) == 1:
            return model.score_pairs(images[0], texts, candidates[0])
        assert isinstance(model, GroupScorer)
        return model.score_pairs_of_images(images, texts, candidates)

    return score


class _InFlight(NamedTuple):
    """The scores of a group of images, end to end, being copied from the device."""

    images: list[int]
    texts: list[NDArray[np.int64]]
    itc: AsyncCopy
    itm: AsyncCopy | None
    ranking: Ranking
    shortlist: int

    def wait(self, wanted: Container[int]) -> Iterator[Matches]:
        """Yield the matches of the images in `wanted` once they have arrived.

        Raises ModelError where there is not one score for each pair.
        """
        itc, itm = self.itc.wait(), None if self.itm is None else self.itm.wait()
        if itm is not None and itm.shape != itc.shape:
            raise ModelError(
                f"the model returns scores {list(itm.shape)} for {len(itc)} pairs of image and text"
            )
        begin = 0
        for image, texts in zip(self.images, self.texts, strict=True):
            of_image = slice(begin, begin + len(texts))
            begin = of_image.stop
            if image in wanted:
                scores = None if itm is None else itm[of_image]
                yield Matches(image, texts, itc[of_image], scores, self.ranking, self.shortlist)


def _one_behind(groups: Iterable[_InFlight]) -> Iterator[_InFlight]:
    """Yield each group when the next one was launched, and the last one."""
    before: _InFlight | None = None
    for group in groups:
        if before is not None:
            yield before
        before = group
    if before is not None:
        yield before


class _Group(NamedTuple, Generic[State]):
    """Images that are ranked together, by their numbers in the gallery, and their states."""

    numbers: list[int]
    states: list[State]


def _groups(
    images: EncodedGallery[State], size: int, wanted: Container[int]
) -> Iterator[_Group[State]]:
    """Yield the groups of at most `size` images of which any is wanted."""
    for group in images.groups(size):
        numbers = [images.numbers[index] for index in group]
        if any(number in wanted for number in numbers):
            yield _Group(numbers, [images.states[index] for index in group])


def _encode_others(
    batches: Batches[ImagesOf],
    read_images: Callable[[ImagesOf], EncodedImages[State]],
    own: list[State],
) -> Iterator[EncodedGallery[State]]:
    """Yield batches, encoded, each when the one before is done; free the `own` states first."""
    own.clear()
    for batch in batches:
        yield encode_gallery([batch], read_images)


def _without_states(
    model: DualEncoder[ImagesOf],
) -> Callable[[ImagesOf], EncodedImages[None]]:
    def read(images: ImagesOf) -> EncodedImages[None]:
        features = model.encode_images(images)
        return EncodedImages(features, [None] * len(features))

    return read
