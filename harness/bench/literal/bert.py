"""BERT as in the paper's `xbert.py` (after transformers 4.12.5): padded rows in every layer.

A row is one text, [T]. The image tokens of every row are projected to keys and values in every
layer and at every call.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harness.models.fusion.bert import Bert
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.layers import Attention, Layer

TEXT_PENALTY = -1e4  # added to the scores of masked text tokens (transformers 4.12.5)
ENCODER_PENALTY = -1e9  # added to the scores of masked encoder tokens


class KeyValues(NamedTuple):
    """Self-attention keys and values [B, heads, T, d / heads] of one layer."""

    keys: Tensor
    values: Tensor


class Decoded(NamedTuple):
    """Next-token logits [B, T, vocabulary], and the keys and values of all tokens by layer."""

    logits: Tensor
    past: list[KeyValues]


def encode_text(bert: Bert, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the states [B, T, d] of texts `ids` [B, T] (the reference's mode "text").

    `mask` [B, T] is 1 for tokens, 0 for padding.
    """
    positions = torch.arange(ids.shape[1], device=ids.device)
    states, penalties = bert.embeddings(ids, positions), _penalties(mask, TEXT_PENALTY)
    for layer in bert.layers[: bert.fusion_layer]:
        states = _run_layer(layer, states, penalties).states
    return states


def fuse(bert: Bert, states: Tensor, mask: Tensor, images: Sequence[Tensor]) -> Tensor:
    """Return the states [B, T, d] of encoded texts after the fusion layers (mode "fusion").

    `images` holds tokens [B, S, width] with one image per text. With several such tensors, as in
    NLVR2, the layers attend to them in turn.
    """
    penalties = _penalties(mask, TEXT_PENALTY)
    image_penalties = [
        _penalties(torch.ones(tokens.shape[:-1], device=tokens.device), ENCODER_PENALTY)
        for tokens in images
    ]
    for number, layer in enumerate(bert.fusion_layers):
        turn = number % len(images)
        states = _run_layer(
            layer,
            states,
            penalties,
            encoder_states=images[turn],
            encoder_penalties=image_penalties[turn],
        ).states
    return states


def encode_multi_modal(bert: Bert, ids: Tensor, mask: Tensor, images: Sequence[Tensor]) -> Tensor:
    """Return the states [B, T, d] of texts after all layers (mode "multi_modal")."""
    return fuse(bert, encode_text(bert, ids, mask), mask, images)


def decode(
    decoder: LanguageModel,
    ids: Tensor,
    mask: Tensor,
    *,
    encoder_states: Tensor,
    encoder_mask: Tensor,
    past: Sequence[KeyValues] | None = None,
) -> Decoded:
    """Return the next-token logits after each token of `ids` [B, T], which continue `past`.

    `mask` [B, past + T] covers the past tokens too. Each row attends to its `encoder_states`
    [B, S, width] where `encoder_mask` [B, S] is 1.
    """
    bert = decoder.bert
    past_length, length = mask.shape[1] - ids.shape[1], mask.shape[1]
    positions = torch.arange(past_length, length, device=ids.device)
    causal = torch.arange(length, device=ids.device)[None] <= positions[:, None]
    visible = causal[None, None].float() * mask[:, None, None].float()
    penalties = (1.0 - visible) * TEXT_PENALTY
    encoder_penalties = _penalties(encoder_mask, ENCODER_PENALTY)
    states, key_values = bert.embeddings(ids, positions), []
    for number, layer in enumerate(bert.layers):
        output = _run_layer(
            layer,
            states,
            penalties,
            past=past[number] if past else None,
            encoder_states=encoder_states if number >= bert.fusion_layer else None,
            encoder_penalties=encoder_penalties,
        )
        states = output.states
        key_values.append(output.key_values)
    return Decoded(decoder.cls.predictions(states), key_values)


class _LayerOutput(NamedTuple):
    states: Tensor
    key_values: KeyValues


def _run_layer(
    layer: Layer,
    states: Tensor,
    penalties: Tensor,
    *,
    past: KeyValues | None = None,
    encoder_states: Tensor | None = None,
    encoder_penalties: Tensor | None = None,
) -> _LayerOutput:
    states, key_values = _attend(layer.attention, states, states, penalties, past=past)
    if encoder_states is not None:
        states = _attend(layer.crossattention, states, encoder_states, encoder_penalties).states
    return _LayerOutput(layer.output(layer.intermediate(states), states), key_values)


def _attend(
    attention: Attention,
    states: Tensor,
    attended: Tensor,
    penalties: Tensor | None,
    *,
    past: KeyValues | None = None,
) -> _LayerOutput:
    query, key, value = (
        _split_heads(projected, attention.heads)
        for projected in (
            attention.self.query(states),
            attention.self.key(attended),
            attention.self.value(attended),
        )
    )
    if past is not None:
        key, value = torch.cat([past.keys, key], dim=2), torch.cat([past.values, value], dim=2)
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    scores = scores if penalties is None else scores + penalties
    context = (scores.softmax(-1) @ value).permute(0, 2, 1, 3).contiguous().flatten(2)
    return _LayerOutput(attention.output(context, states), KeyValues(key, value))


def _split_heads(states: Tensor, heads: int) -> Tensor:
    """Return states [B, T, d] as [B, heads, T, d / heads]."""
    return states.view(*states.shape[:-1], heads, -1).permute(0, 2, 1, 3)


def _penalties(mask: Tensor, penalty: float) -> Tensor:
    """Return the scores [B, 1, 1, S] to add: `penalty` where `mask` [B, S] is 0, otherwise 0."""
    return (1.0 - mask[:, None, None].float()) * penalty
