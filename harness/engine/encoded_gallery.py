"""The images of a gallery, encoded batch by batch, and their features gathered."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Generic, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import AllGather, Array, EncodedImages, ImagesOf, State
from harness.engine.chunks import in_chunks

Batches = Iterable[tuple[Sequence[int], ImagesOf, NDArray[np.int64]]]


class EncodedGallery(NamedTuple, Generic[State]):
    """This process's share of a gallery, and the features of a larger part of it, or all.

    `batches` are the indices of the images that were encoded together, batch by batch. Image
    `numbers[i]` has the state `states[i]`; `features` [I, f] belong to the images numbered
    `with_features` [I].
    """

    batches: list[range]
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
        features = torch.cat(parts)[order] if parts else self.features  # of no image
        return self._replace(with_features=[numbers[index] for index in order], features=features)

    def groups(self, size: int) -> list[Sequence[int]]:
        """Return the indices of the images in groups of at most `size`.

        The images of a group are of one batch, so that other processes do not change the groups.
        """
        return list(chain.from_iterable(in_chunks(batch, size) for batch in self.batches))


def encode_gallery(
    batches: Batches[ImagesOf], read_images: Callable[[ImagesOf], EncodedImages[State]]
) -> EncodedGallery[State]:
    """Encode images, given in batches with their numbers in the gallery."""
    groups: list[range] = []
    numbers: list[int] = []
    states: list[State] = []
    features: list[Tensor] = []
    for some, batch, image_of in batches:
        encoded = read_images(batch)
        groups.append(range(len(numbers), len(numbers) + len(some)))
        numbers += some
        states += [encoded.states[index] for index in image_of]
        features.append(as_tensor(encoded.features)[torch.from_numpy(image_of)])
        del batch, encoded  # before the next batch is loaded
    together = torch.cat(features) if features else torch.empty(0, 0)
    return EncodedGallery(groups, numbers, states, numbers, together)


def as_tensor(array: Array) -> Tensor:
    """Return a NumPy array or a tensor as a tensor, in float32, where it is."""
    tensor: Tensor = torch.as_tensor(array)
    return tensor.float()
