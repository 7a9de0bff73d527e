"""The similarity of images and sentences, by any model that compares the two."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import AttributeMatcher, DualEncoder
from harness.engine.shortlist import cosine_similarity

# All images of a benchmark are compared with the same sentences: the last ones of each model.
_encoded: WeakKeyDictionary[Any, tuple[tuple[str, ...], Tensor]] = WeakKeyDictionary()


def similarity_of(
    model: AttributeMatcher | DualEncoder, images: NDArray[np.uint8], sentences: Sequence[str]
) -> NDArray[np.float32]:
    """Return the similarity [M, S] of each image [M, R, R, 3] and each sentence.

    A dual encoder compares by the cosine of its features, and encodes the sentences once.
    """
    if isinstance(model, AttributeMatcher):
        return model.similarity(images, sentences)
    wanted, (encoded, features) = tuple(sentences), _encoded.get(model, ((), torch.empty(0)))
    if encoded != wanted:
        features = torch.as_tensor(model.encode_texts(wanted))
        _encoded[model] = wanted, features
    image_features: Tensor = torch.as_tensor(model.encode_images(images))
    cosines: NDArray[np.float32] = (
        cosine_similarity(image_features, features.to(image_features.device)).cpu().numpy()
    )
    return cosines
