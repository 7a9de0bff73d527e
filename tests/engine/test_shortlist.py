"""Shortlisted pairs, against the paper's code: two dense matrices, sorted."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.engine import shortlist
from harness.engine.shortlist import Pairs, shortlist_pairs


def dense_pairs(images, texts, count):
    """The union of both directions' shortlists, ties to the lower index."""
    similarity = (images @ texts.T).numpy()
    by_image = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    by_text = np.argsort(-similarity.T, axis=1, kind="stable")[:, :count]
    pairs = {(image, int(text)) for image, row in enumerate(by_image) for text in row}
    return sorted(pairs | {(int(image), text) for text, row in enumerate(by_text) for image in row})


def listed(pairs):
    return list(zip(pairs.image.tolist(), pairs.text.tolist(), strict=True))


def test_a_pair_on_both_shortlists_is_listed_once_and_ties_go_to_the_lower_index():
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    assert listed(shortlist_pairs(images, texts, 1)) == [(0, 0), (0, 1), (0, 2), (1, 0)]


@given(st.integers(1, 9), st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**31))
def test_both_directions_are_united_as_from_dense_matrices(images, texts, count, seed):
    rng = torch.Generator().manual_seed(seed)
    first, second = (  # many exact ties
        torch.randint(-1, 2, (size, 3), generator=rng).float() for size in (images, texts)
    )
    assert listed(shortlist_pairs(first, second, count)) == dense_pairs(first, second, count)


def test_a_gallery_compared_some_rows_at_a_time_gives_the_same_pairs(monkeypatch):
    rng = torch.Generator().manual_seed(1)
    images, texts = (torch.randint(-2, 3, (size, 4), generator=rng).float() for size in (23, 41))
    whole = listed(shortlist_pairs(images, texts, 5))
    monkeypatch.setattr(shortlist, "ROWS", 4)
    assert listed(shortlist_pairs(images, texts, 5)) == whole == dense_pairs(images, texts, 5)


def test_the_candidates_of_an_image_are_ascending():
    pairs = Pairs(torch.tensor([0, 0, 2]), torch.tensor([1, 4, 0]))
    assert [pairs.texts_of_image(image).tolist() for image in range(3)] == [[1, 4], [], [0]]
