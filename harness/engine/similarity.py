"""The similarity of images and sentences, by any model that compares the two."""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import ref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import AttributeMatcher, DualEncoder, ImagesOf
from harness.engine.device import float32_context
from harness.engine.finite import refuse_nan
from harness.engine.shortlist import cosine_similarity
from harness.errors import ModelError

UNIT_TOLERANCE = 0.02  # of the norm of features, which may be stored in 16 bits


class _Encoded(NamedTuple):
    """Sentences, encoded by a model that may be gone since."""

    model: Callable[[], object]
    sentences: tuple[str, ...]
    features: Tensor


# All images of a benchmark are compared with the same sentences: the last ones that were encoded.
_last: list[_Encoded] = []


def unit_vectors(features: Tensor) -> Tensor:
    """Return features [N, f] as unit vectors in float32, as `DualEncoder` and `PairScorer` want.

    >>> unit_vectors(torch.tensor([[3.0, 4.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    with float32_context(features.device):
        return torch.nn.functional.normalize(features.float(), dim=-1)


def refuse_other_than_unit(features: Tensor, names: str) -> None:
    """Raise ModelError if some features [N, f] of `names`, such as `images`, are not unit vectors.

    Their products would not be cosines, and would rank otherwise.

    >>> refuse_other_than_unit(torch.tensor([[0.6, 0.8]]), "images")
    """
    refuse_nan(features, names)
    norms = features.float().norm(dim=-1)
    if bool(((norms - 1).abs() > UNIT_TOLERANCE).any()):
        farthest = int((norms - 1).abs().argmax())
        raise ModelError(
            f"the model returns features of {names} that are not unit vectors (the one with index "
            f"{farthest} has a norm of {float(norms[farthest]):.3g}); "
            "harness.engine.similarity.unit_vectors makes them"
        )


def similarity_of(
    model: AttributeMatcher[ImagesOf] | DualEncoder[ImagesOf],
    images: ImagesOf,
    sentences: Sequence[str],
) -> NDArray[np.float32]:
    """Return the similarity [M, S] of each image [M, R, R, 3] and each sentence.

    A dual encoder compares by the cosine of its features, and encodes the sentences once. Raises
    ModelError for features that are not unit vectors, and for similarities of another shape.
    """
    if isinstance(model, AttributeMatcher):
        similarity = model.similarity(images, sentences)
        if np.shape(similarity)[1:] != (len(sentences),):
            raise ModelError(
                f"the model returns similarities {list(np.shape(similarity))} for {len(sentences)} "
                "sentences; a row for each image has a number for each sentence"
            )
        return similarity
    features = _encoded(model, tuple(sentences))
    image_features: Tensor = torch.as_tensor(model.encode_images(images))
    refuse_other_than_unit(image_features, "images")
    cosines: NDArray[np.float32] = (
        cosine_similarity(image_features, features.to(image_features.device)).cpu().numpy()
    )
    return cosines


def _encoded(model: DualEncoder[ImagesOf], sentences: tuple[str, ...]) -> Tensor:
    """Return the features [S, f] of sentences, encoded once for all images."""
    for last in _last:
        if last.model() is model and last.sentences == sentences:
            return last.features
    features: Tensor = torch.as_tensor(model.encode_texts(sentences))
    refuse_other_than_unit(features, "sentences")
    try:
        _last[:] = [_Encoded(ref(model), sentences, features)]
    except TypeError:  # no weak reference to an object with slots: encode them again
        _last.clear()
    return features
