"""Two-stage retrieval: shortlist by the cosine of features, then re-rank the candidates.

The loop behind every model that retrieves: a dual encoder ranks its shortlist by the cosine
itself, a pair scorer scores each shortlisted pair once, whichever direction shortlisted it. The
features of all processes are gathered; image states stay where they were computed, and so does the
re-ranking, but for batches of images that a process encodes anew in place of a slower one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Generic, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import (
    AllGather,
    Array,
    DualEncoder,
    EncodedImages,
    Gallery,
    ImagesOf,
    Matches,
    PairScorer,
    Ranking,
    State,
    Texts,
)
from harness.engine.device import AsyncCopy, Device
from harness.engine.shortlist import shortlist_pairs

Batches = Iterable[tuple[Sequence[int], ImagesOf, NDArray[np.int64]]]


class EncodedGallery(NamedTuple, Generic[State]):
    """This process's share of a gallery, and the features of a larger part of it, or all.

    Image `numbers[i]` has the state `states[i]`; `features` [I, f] belong to the images numbered
    `with_features` [I].
    """

    numbers: list[int]
    states: list[State]
    with_features: list[int]
    features: Tensor

    def gather(self, all_gather: AllGather) -> "EncodedGallery[State]":
        """Return the same with the features of the whole gallery, ordered by number."""
        shares = all_gather((self.numbers, self.features.cpu()))
        numbers = [number for share, _ in shares for number in share]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        parts = [part.to(self.features.device) for _, part in shares if len(part)]
        features = torch.cat(parts)[order]
        return self._replace(with_features=[numbers[index] for index in order], features=features)


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
        yield from rerank_gallery(
            images,
            _tensor(encoded.features),
            _scorer(model.score_pairs, encoded),
            ranking=model.ranking,
            shortlist=shortlist,
            wanted=wanted,
            others=_encode_others(gallery.others, model.read_images, images.states),
        )
    else:
        features = encode_gallery(gallery.batches, _without_states(model))
        yield from rerank_gallery(
            features.gather(gallery.all_gather),
            _tensor(model.encode_texts(texts)),
            None,
            ranking="itc",
            shortlist=shortlist,
            wanted=wanted,
        )


def encode_gallery(
    batches: Batches[ImagesOf], read_images: Callable[[ImagesOf], EncodedImages[State]]
) -> EncodedGallery[State]:
    """Encode images, given in batches with their numbers in the gallery."""
    numbers: list[int] = []
    states: list[State] = []
    features: list[Tensor] = []
    for some, batch, image_of in batches:
        encoded = read_images(batch)
        numbers += some
        states += [encoded.states[index] for index in image_of]
        features.append(_tensor(encoded.features)[torch.from_numpy(image_of)])
        del batch, encoded  # before the next batch is loaded
    together = torch.cat(features) if features else torch.empty(0, 0)
    return EncodedGallery(numbers, states, numbers, together)


def rerank_gallery(
    images: EncodedGallery[State],
    texts: Tensor,
    score: "Score[State] | None",
    *,
    ranking: Ranking,
    shortlist: int,
    wanted: Iterable[int],
    others: Iterable[tuple[int, State]] = (),
) -> Iterator[Matches]:
    """Yield the scores of each image in `wanted`, then in `others`, and its candidate texts.

    `wanted` are numbers of encoded images; `others` are numbers and states of further images of the
    gallery. Both are drawn as their turn comes. `texts` [T, f] are features, beside those of the
    images. `score` returns the scores [n] of an image, by its state, and the texts of these
    indices; None leaves the similarity alone. While the host takes the scores of one image, the
    device computes those of the next.
    """
    device = Device(images.features.device, "float32")
    texts = device.send(texts)
    with device.computing():
        pairs = shortlist_pairs(images.features, texts, shortlist)
    row_of = {number: row for row, number in enumerate(images.with_features)}
    index_of = {number: index for index, number in enumerate(images.numbers)}
    own = ((number, images.states[index_of[number]]) for number in wanted)
    in_flight: _InFlight | None = None
    for number, state in chain(own, others):
        row = row_of[number]
        candidates = pairs.texts_of_image(row)
        with device.computing():
            similarity = (texts[device.send(candidates)] * images.features[row]).sum(-1)
        launched = _InFlight(
            number,
            candidates.numpy(),
            AsyncCopy(similarity),
            None if score is None else AsyncCopy(_tensor(score(state, candidates.numpy()))),
            ranking,
            shortlist,
        )
        if in_flight is not None:
            yield in_flight.wait()
        in_flight = launched
    if in_flight is not None:
        yield in_flight.wait()


Score = Callable[[State, NDArray[np.int64]], Array]


class _InFlight(NamedTuple):
    """The scores of an image, being copied from the device."""

    image: int
    texts: NDArray[np.int64]
    itc: AsyncCopy
    itm: AsyncCopy | None
    ranking: Ranking
    shortlist: int

    def wait(self) -> Matches:
        itm = None if self.itm is None else self.itm.wait()
        return Matches(self.image, self.texts, self.itc.wait(), itm, self.ranking, self.shortlist)


def _encode_others(
    batches: Batches[ImagesOf],
    read_images: Callable[[ImagesOf], EncodedImages[State]],
    own: list[State],
) -> Iterator[tuple[int, State]]:
    """Yield the numbers and states of further images, which take the memory of the `own` states."""
    own.clear()
    for batch in batches:
        encoded = encode_gallery([batch], read_images)
        yield from zip(encoded.numbers, encoded.states, strict=True)


def _scorer(
    score_pairs: Callable[[State, Texts, NDArray[np.int64]], Array], texts: Texts
) -> Score[State]:
    return lambda image, candidates: score_pairs(image, texts, candidates)


def _without_states(
    model: DualEncoder[ImagesOf],
) -> Callable[[ImagesOf], EncodedImages[None]]:
    def read(images: ImagesOf) -> EncodedImages[None]:
        features = model.encode_images(images)
        return EncodedImages(features, [None] * len(features))

    return read


def _tensor(array: Array) -> Tensor:
    """Return a NumPy array or a tensor as a tensor, in float32, where it is."""
    tensor: Tensor = torch.as_tensor(array)
    return tensor.float()
