"""Sentences are encoded once for all images, by models of whatever kind of class."""

from dataclasses import dataclass

import numpy as np
import pytest

from harness.engine.similarity import similarity_of
from harness.errors import ModelError

IMAGES = np.eye(2, dtype=np.float32)


class Steps:
    __slots__ = ()
    device, provenance = "cpu", {}

    def prepare(self, image):
        raise NotImplementedError

    def encode_images(self, images):
        return images

    def encode_texts(self, texts):
        self.calls += 1
        vectors = {1: [0.6, 0.8], 2: [1.0, 0.0], 3: [0.0, 1.0]}  # by length
        return np.array([vectors[len(text)] for text in texts], dtype=np.float32)


@dataclass  # has no hash
class Encoder(Steps):
    protocol: str = "cosine"
    calls: int = 0


@dataclass(slots=True)  # has no weak references
class Slotted(Steps):
    protocol: str = "cosine"
    calls: int = 0


@pytest.mark.parametrize(("kind", "calls"), [(Encoder, 2), (Slotted, 3)])
def test_sentences_are_encoded_once(kind, calls):
    model, other = kind(), kind()
    similarity = similarity_of(model, IMAGES, ["a", "bb"])
    assert np.allclose(similarity, [[0.6, 1.0], [0.8, 0.0]])
    similarity_of(model, IMAGES, ["a", "bb"])
    assert similarity_of(model, IMAGES, ["ccc"]).tolist() == [[0], [1]]
    assert model.calls == calls
    similarity_of(other, IMAGES, ["ccc"])
    assert other.calls == 1


@pytest.mark.parametrize("shape", [(2, 3), (2,), (2, 1)])
def test_similarities_of_another_shape_are_refused(shape):
    class Matcher:
        protocol, device, provenance = "given", "cpu", {}

        def prepare(self, image):
            raise NotImplementedError

        def similarity(self, images, sentences):
            return np.zeros(shape, dtype=np.float32)

    with pytest.raises(ModelError, match="for 2 sentences; a row for each image"):
        similarity_of(Matcher(), IMAGES, ["a", "bb"])
