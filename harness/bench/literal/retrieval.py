"""Retrieval as in the paper's `Retrieval.py`, `evaluation`: similarity of all, then a closer look at the best of each row, twice.

Each direction has its own matrix and looks at its own pairs: what both have on their lists is looked at twice.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench.literal.bert import fusion, text
from harness.bench.literal.swin import encode
from harness.models.xvlm.heads import RetrievalNetwork

IMAGE_BATCH = 32  # `batch_size_test` of the reference's retrieval configurations
TEXT_BATCH = 256  # `batch_size_test_text`
NOT_LISTED = -100.0  # the score of a pair that was not looked at


class Images(NamedTuple):
    """Images by their tokens [I, S, C] and features [I, f]."""

    tokens: Tensor
    features: Tensor


class Texts(NamedTuple):
    """Texts by their states [T, 40, d], padding included, what of it is there [T, 40], and features [T, f]."""

    states: Tensor
    present: Tensor
    features: Tensor


class Scores(NamedTuple):
    """Matching scores image to text [I, T] and text to image [T, I], and the similarities they were chosen by [I, T]."""

    i2t: Tensor
    t2i: Tensor
    similarity: Tensor


def read(network: RetrievalNetwork, ids: Tensor, present: Tensor) -> Texts:
    """Read texts `ids` [T, 40], all padded to the same length."""
    states, features = [], []
    for some, there in zip(ids.split(TEXT_BATCH), present.split(TEXT_BATCH), strict=True):
        states.append(text(network.text_encoder, some, there))
        features.append(F.normalize(network.text_proj(states[-1][:, 0]), dim=-1))
    return Texts(torch.cat(states), present, torch.cat(features))


def see(network: RetrievalNetwork, images: Tensor) -> Images:
    """Encode normalised images [I, 3, R, R]."""
    tokens, features = [], []
    for some in images.split(IMAGE_BATCH):
        tokens.append(encode(network.vision_encoder, network.architecture.vision, some))
        features.append(F.normalize(network.vision_proj(tokens[-1][:, 0]), dim=-1))
    return Images(torch.cat(tokens), torch.cat(features))


def match(network: RetrievalNetwork, tokens: Tensor, states: Tensor, present: Tensor) -> Tensor:
    """Return the logits [n, 2] of n pairs: image tokens [n, S, C] beside text states [n, 40, d]."""
    return network.itm_head(fusion(network.text_encoder, states, present, [tokens])[:, 0])


def rerank(network: RetrievalNetwork, tokens: Tensor, texts: Texts, listed: Tensor) -> Tensor:
    """Return the logits [n, 2] of one image, tokens [S, C], and the texts `listed` [n]: the image is repeated for each of them."""
    return match(
        network, tokens.repeat(len(listed), 1, 1), texts.states[listed], texts.present[listed]
    )


def evaluate(
    network: RetrievalNetwork, images: Tensor, ids: Tensor, present: Tensor, *, shortlist: int
) -> Scores:
    """Score the `shortlist` likeliest texts of every image, and the `shortlist` likeliest images of every text."""
    texts, seen = read(network, ids, present), see(network, images)
    similarity = seen.features @ texts.features.t()
    i2t = torch.full_like(similarity, NOT_LISTED)
    for image, row in enumerate(similarity):
        listed = row.topk(shortlist).indices
        i2t[image, listed] = rerank(network, seen.tokens[image], texts, listed)[:, 1]
    t2i = torch.full_like(similarity.t(), NOT_LISTED)
    for number, row in enumerate(similarity.t()):
        listed = row.topk(shortlist).indices
        states, there = (
            texts.states[number].repeat(shortlist, 1, 1),
            texts.present[number].repeat(shortlist, 1),
        )
        t2i[number, listed] = match(network, seen.tokens[listed], states, there)[:, 1]
    return Scores(i2t, t2i, similarity)
