"""Retrieval as in the paper's `Retrieval.py`, `evaluation`: similarities, then re-ranking.

Both directions re-rank their own shortlists, so a pair that is on both is scored twice.
"""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.bench.literal.bert import encode_text, fuse
from harness.bench.literal.swin import encode
from harness.models.fusion.bert import Bert
from harness.models.xvlm.heads import RetrievalNetwork

IMAGE_BATCH = 32  # `batch_size_test` of the reference's retrieval configurations
TEXT_BATCH = 256  # `batch_size_test_text`
NOT_LISTED = -100.0  # the score of a pair that is not on the shortlist


class Images(NamedTuple):
    """Images by their tokens [I, S, C] and features [I, f]."""

    tokens: Tensor
    features: Tensor


class Texts(NamedTuple):
    """Texts by their padded states [T, 40, d], attention mask [T, 40] and features [T, f]."""

    states: Tensor
    mask: Tensor
    features: Tensor


class Scores(NamedTuple):
    """Matching scores [I, T] and [T, I], and the similarities [I, T] that chose the shortlists."""

    i2t: Tensor
    t2i: Tensor
    similarity: Tensor


class TextNetwork(Protocol):
    """The text side of a network that compares images and texts, X-VLM's or another family's."""

    @property
    def text_encoder(self) -> Bert: ...

    @property
    def text_proj(self) -> nn.Module: ...

    @property
    def itm_head(self) -> nn.Module: ...


def encode_texts(network: TextNetwork, ids: Tensor, mask: Tensor) -> Texts:
    """Encode texts `ids` [T, 40], all padded to the same length."""
    states, features = [], []
    for batch, batch_mask in zip(ids.split(TEXT_BATCH), mask.split(TEXT_BATCH), strict=True):
        states.append(encode_text(network.text_encoder, batch, batch_mask))
        features.append(F.normalize(network.text_proj(states[-1][:, 0]), dim=-1))
    return Texts(torch.cat(states), mask, torch.cat(features))


def encode_images(network: RetrievalNetwork, images: Tensor) -> Images:
    """Encode normalised images [I, 3, R, R]."""
    tokens, features = [], []
    for batch in images.split(IMAGE_BATCH):
        tokens.append(encode(network.vision_encoder, network.architecture.vision, batch))
        features.append(F.normalize(network.vision_proj(tokens[-1][:, 0]), dim=-1))
    return Images(torch.cat(tokens), torch.cat(features))


def match(network: TextNetwork, tokens: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    """Return the logits [n, 2] of n pairs: image tokens [n, S, C] and text states [n, 40, d]."""
    logits: Tensor = network.itm_head(fuse(network.text_encoder, states, mask, [tokens])[:, 0])
    return logits


def rerank(network: TextNetwork, tokens: Tensor, texts: Texts, candidates: Tensor) -> Tensor:
    """Return the logits [n, 2] of one image, tokens [S, C], and the texts `candidates` [n].

    The image is repeated for each of them.
    """
    repeated = tokens.repeat(len(candidates), 1, 1)
    return match(network, repeated, texts.states[candidates], texts.mask[candidates])


def evaluate(
    network: RetrievalNetwork, images: Tensor, ids: Tensor, mask: Tensor, *, shortlist: int
) -> Scores:
    """Score the `shortlist` most similar texts of every image, and images of every text."""
    texts, encoded = encode_texts(network, ids, mask), encode_images(network, images)
    similarity = encoded.features @ texts.features.t()
    i2t = torch.full_like(similarity, NOT_LISTED)
    for image, row in enumerate(similarity):
        candidates = row.topk(min(shortlist, len(row))).indices
        i2t[image, candidates] = rerank(network, encoded.tokens[image], texts, candidates)[:, 1]
    t2i = torch.full_like(similarity.t(), NOT_LISTED)
    for text, row in enumerate(similarity.t()):
        candidates = row.topk(min(shortlist, len(row))).indices
        states = texts.states[text].repeat(len(candidates), 1, 1)
        text_mask = texts.mask[text].repeat(len(candidates), 1)
        t2i[text, candidates] = match(network, encoded.tokens[candidates], states, text_mask)[:, 1]
    return Scores(i2t, t2i, similarity)
