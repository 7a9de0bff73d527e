"""Two-stage retrieval: shortlist by the cosine of features, then re-rank the candidates.

The loop behind every model that retrieves: a dual encoder ranks its shortlist by the cosine
itself, a pair scorer scores each shortlisted pair once, whichever direction shortlisted it. The
features of all processes are gathered; image states stay where they were computed, and so does the
re-ranking, but for batches of images that a process encodes anew in place of a slower one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
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


def retrieve(
    model: DualEncoder[ImagesOf] | PairScorer[ImagesOf, State, Texts],
    gallery: Gallery[ImagesOf],
    texts: Sequence[str],
    *,
    shortlist: int,
    wanted: Iterable[int],
) -> Iterator[Matches]:
    """Yield the matches of the `wanted` images of this process, by their indices in the gallery.

    The `shortlist` most similar texts of each image, and images of each text, are candidates. Both
    shortlists are drawn from the whole gallery and from all texts: each process encodes its own
    images, and all texts. For a pair scorer, the matches of `gallery.others` follow; a dual encoder
    would have to do the most expensive part of the work again to save the cheapest.
    """
    if isinstance(model, PairScorer):
        images = encode_gallery(gallery.batches, model.read_images).gather(gallery.all_gather)
        encoded = model.read_texts(texts)
        together = model.images_at_a_time if isinstance(model, GroupScorer) else 1
        yield from rerank_gallery(
            images,
            as_tensor(encoded.features),
            pair_scores(model, encoded),
            ranking=model.ranking,
            shortlist=shortlist,
            wanted=wanted,
            others=_encode_others(gallery.others, model.read_images, images.states),
            together=together,
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
    wanted: Iterable[int],
    others: Iterable[EncodedGallery[State]] = (),
    together: int = 1,
) -> Iterator[Matches]:
    """Yield the scores of each image in `wanted`, then in `others`, and its candidate texts.

    `wanted` are numbers of encoded images; `others` are further images of the gallery. Both are
    drawn as their turn comes. `texts` [T, f] are features, beside those of the images. `score`
    returns the scores of a group of images (see `pair_scores`); None leaves the similarity alone.
    While the host takes the scores of one group, the device computes those of the next.

    A group of up to `together` images is scored whole if any of them is wanted: the last digits may
    depend on what is scored together.
    """
    device = Device(images.features.device, "float32")
    texts = device.send(texts)
    with device.computing():
        pairs = shortlist_pairs(images.features, texts, shortlist)
    row_of = {number: row for row, number in enumerate(images.with_features)}
    in_flight: _InFlight | None = None
    for group in chain(_own_groups(images, wanted, together), _groups_of(others, together)):
        rows = [row_of[number] for number in group.numbers]
        candidates = [pairs.texts_of_image(row) for row in rows]
        row_of_pair = torch.tensor(rows).repeat_interleave(torch.tensor(list(map(len, candidates))))
        with device.computing():
            of_texts = texts[device.send(torch.cat(candidates))]
            similarity = (of_texts * images.features[device.send(row_of_pair)]).sum(-1)
        indices = [some.numpy() for some in candidates]
        launched = _InFlight(
            group,
            indices,
            AsyncCopy(similarity),
            None if score is None else AsyncCopy(as_tensor(score(group.states, indices))),
            ranking,
            shortlist,
        )
        if in_flight is not None:
            yield from in_flight.wait()
        in_flight = launched
    if in_flight is not None:
        yield from in_flight.wait()


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


class _Group(NamedTuple, Generic[State]):
    """Images that are scored together, by number, and those of them whose scores are wanted."""

    numbers: Sequence[int]
    states: Sequence[State]
    wanted: frozenset[int]


def _own_groups(
    images: EncodedGallery[State], wanted: Iterable[int], size: int
) -> Iterator[_Group[State]]:
    """Yield the groups of the `wanted` images, which are drawn group by group."""
    group_of = {images.numbers[index]: group for group in images.groups(size) for index in group}
    for group, numbers in groupby(wanted, key=group_of.__getitem__):
        yield _Group(
            [images.numbers[index] for index in group],
            [images.states[index] for index in group],
            frozenset(numbers),
        )


def _groups_of(galleries: Iterable[EncodedGallery[State]], size: int) -> Iterator[_Group[State]]:
    for images in galleries:
        yield from _own_groups(images, images.numbers, size)


class _InFlight(NamedTuple):
    """The scores of a group of images, end to end, being copied from the device."""

    group: _Group
    texts: list[NDArray[np.int64]]
    itc: AsyncCopy
    itm: AsyncCopy | None
    ranking: Ranking
    shortlist: int

    def wait(self) -> Iterator[Matches]:
        """Yield the matches of the wanted images once they have arrived."""
        itc, itm = self.itc.wait(), None if self.itm is None else self.itm.wait()
        begin = 0
        for image, texts in zip(self.group.numbers, self.texts, strict=True):
            pairs = slice(begin, begin + len(texts))
            begin = pairs.stop
            if image in self.group.wanted:
                scores = None if itm is None else itm[pairs]
                yield Matches(image, texts, itc[pairs], scores, self.ranking, self.shortlist)


def _encode_others(
    batches: Batches[ImagesOf],
    read_images: Callable[[ImagesOf], EncodedImages[State]],
    own: list[State],
) -> Iterator[EncodedGallery[State]]:
    """Yield further images, batch by batch, which take the memory of the `own` states."""
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
