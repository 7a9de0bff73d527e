"""Two-stage retrieval: shortlist by the cosine of features, then re-rank the candidates.

The loop behind any model that has both a dual encoder (one feature per image and per text) and a
scorer of pairs. Every pair is scored once, whichever direction shortlisted it. The features of all
processes are gathered; image states stay where they were computed, and so does the re-ranking.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from harness.capabilities import Gallery, Matches
from harness.engine.device import AsyncCopy, Device
from harness.engine.shortlist import shortlist_pairs


class EncodedImages(NamedTuple):
    """A batch of images: `states` [M, S, C] to score pairs with, and `features` [M, f]."""

    states: Tensor
    features: Tensor


class WithFeatures(Protocol):
    """Encoded texts of any kind, with their `features` [T, f] on the device."""

    @property
    def features(self) -> Tensor: ...


I = TypeVar("I")  # a batch of images, as the model takes it  # noqa: E741
T = TypeVar("T", bound=WithFeatures)
Rerank = Callable[[Tensor, T, Tensor], Tensor]
"""Return the scores [n] of one image, states [S, C], and the texts [n], by index on the host."""


class EncodedGallery(NamedTuple):
    """This process's share of a gallery, and the features of a larger part of it, or all.

    Image `numbers[i]` has the states `states[i]` [S, C]; `features` [I, f] belong to the images
    numbered `with_features` [I].
    """

    numbers: list[int]
    states: list[Tensor]
    with_features: list[int]
    features: Tensor

    def gather(self, gallery: Gallery) -> "EncodedGallery":
        """Return the same with the features of the whole gallery, ordered by number."""
        shares = gallery.all_gather((self.numbers, self.features.cpu()))
        numbers = [number for share, _ in shares for number in share]
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        parts = [part.to(self.features.device) for _, part in shares if len(part)]
        features = torch.cat(parts)[order]
        return self._replace(with_features=[numbers[index] for index in order], features=features)


def encode_gallery(
    batches: Iterable[tuple[Sequence[int], I]],
    encode_images: Callable[[I], EncodedImages],
    device: Device,
) -> EncodedGallery:
    """Encode images, given in batches with their numbers in the gallery."""
    numbers: list[int] = []
    states: list[Tensor] = []
    features: list[Tensor] = []
    for some, batch in batches:
        encoded = encode_images(batch)
        numbers += some
        states += encoded.states.to(device.storage_dtype)
        features.append(encoded.features)
        del batch, encoded  # before the next batch is loaded
    together = torch.cat(features) if features else torch.empty(0, 0, device=device.torch)
    return EncodedGallery(numbers, states, numbers, together)


def rerank_gallery(
    images: EncodedGallery,
    texts: T,
    rerank: Rerank[T],
    device: Device,
    *,
    shortlist: int,
    wanted: Container[int],
) -> Iterator[Matches]:
    """Yield the scores of each image in `wanted` and its candidate texts, in order of number.

    `shortlist` texts of every image and images of every text are candidates. While the host takes
    the scores of one image, the device computes those of the next.
    """
    with device.computing():
        pairs = shortlist_pairs(images.features, texts.features, shortlist)
    row_of = {number: row for row, number in enumerate(images.with_features)}
    in_flight: _InFlight | None = None
    for number, states in sorted(
        zip(images.numbers, images.states, strict=True), key=itemgetter(0)
    ):
        if number not in wanted:
            continue
        row = row_of[number]
        candidates = pairs.texts_of_image(row)
        with device.computing():
            features = texts.features[device.send(candidates)]
            similarity = (features * images.features[row]).sum(-1)
            scores = rerank(states, texts, candidates)
            launched = _InFlight(number, candidates, AsyncCopy(similarity), AsyncCopy(scores))
        if in_flight is not None:
            yield in_flight.wait()
        in_flight = launched
    if in_flight is not None:
        yield in_flight.wait()


class _InFlight(NamedTuple):
    """The scores of an image, being copied from the device."""

    image: int
    texts: Tensor
    itc: AsyncCopy
    itm: AsyncCopy

    def wait(self) -> Matches:
        return Matches(self.image, self.texts.numpy(), self.itc.wait(), self.itm.wait())
