"""BERT as the paper's code runs it (`xbert.py`, after transformers 4.12.5): all tokens of all rows in every layer, padding included.

A row is one text, [T]; what it looks at comes with it, and is projected to keys and values for it alone, in every layer and at every call.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harness.models.fusion.bert import Bert
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.layers import Attention, Layer

PADDING = -1e4  # added to the scores of padded tokens (transformers 4.12.5)
UNSEEN = -1e9  # added to the scores of masked image tokens


class Past(NamedTuple):
    """Keys and values [B, heads, T, width of a head] of a layer for the tokens so far."""

    keys: Tensor
    values: Tensor


class Decoded(NamedTuple):
    """The logits [B, T, vocabulary] of every word to come after every token, and what each layer keeps of the tokens."""

    logits: Tensor
    past: list[Past]


def text(bert: Bert, ids: Tensor, present: Tensor) -> Tensor:
    """Return the states [B, T, d] of texts `ids` [B, T]; `present` [B, T] is 1 for tokens, 0 for padding (mode "text")."""
    places = torch.arange(ids.shape[1], device=ids.device)
    states, mask = bert.embeddings(ids, places), _hiding(present, PADDING)
    for layer in bert.layers[: bert.fusion_layer]:
        states = _layer(layer, states, mask).states
    return states


def fusion(bert: Bert, states: Tensor, present: Tensor, seen: Sequence[Tensor]) -> Tensor:
    """Return the states [B, T, d] of read texts after they looked at what is `seen` [B, S, width] of each (mode "fusion").

    Of several things to see, as in NLVR2, the layers take turns.
    """
    mask = _hiding(present, PADDING)
    all_of_it = [
        _hiding(torch.ones(tokens.shape[:-1], device=tokens.device), UNSEEN) for tokens in seen
    ]
    for number, layer in enumerate(bert.fusion_layers):
        turn = number % len(seen)
        states = _layer(layer, states, mask, seen=seen[turn], seen_mask=all_of_it[turn]).states
    return states


def multi_modal(bert: Bert, ids: Tensor, present: Tensor, seen: Sequence[Tensor]) -> Tensor:
    """Return the states [B, T, d] of texts after they looked (mode "multi_modal")."""
    return fusion(bert, text(bert, ids, present), present, seen)


def decode(
    decoder: LanguageModel,
    ids: Tensor,
    present: Tensor,
    *,
    seen: Tensor,
    seen_present: Tensor,
    past: Sequence[Past] | None = None,
) -> Decoded:
    """Return what may come after each token of `ids` [B, T], which go on after `past`; `present` [B, past + T] counts the past as well.

    `seen` [B, S, width] is what each row looks at where `seen_present` [B, S] is 1.
    """
    bert = decoder.bert
    before = present.shape[1] - ids.shape[1]
    places = torch.arange(before, present.shape[1], device=ids.device)
    after = torch.arange(present.shape[1], device=ids.device)[None] <= places[:, None]
    mask = (1.0 - after[None, None].float() * present[:, None, None].float()) * PADDING
    seen_mask = _hiding(seen_present, UNSEEN)
    states, kept = bert.embeddings(ids, places), []
    for number, layer in enumerate(bert.layers):
        looks = number >= bert.fusion_layer
        states, recalled = _layer(
            layer,
            states,
            mask,
            past=past[number] if past else None,
            seen=seen if looks else None,
            seen_mask=seen_mask,
        )
        kept.append(recalled)
    return Decoded(decoder.cls.predictions(states), kept)


class _Attended(NamedTuple):
    states: Tensor
    past: Past


def _layer(
    layer: Layer,
    states: Tensor,
    mask: Tensor,
    *,
    past: Past | None = None,
    seen: Tensor | None = None,
    seen_mask: Tensor | None = None,
) -> _Attended:
    states, recalled = _attention(layer.attention, states, states, mask, past=past)
    if seen is not None:
        states = _attention(layer.crossattention, states, seen, seen_mask).states
    return _Attended(layer.output(layer.intermediate(states), states), recalled)


def _attention(
    attention: Attention,
    states: Tensor,
    seen: Tensor,
    mask: Tensor | None,
    *,
    past: Past | None = None,
) -> _Attended:
    query, key, value = (
        _heads(projected, attention.heads)
        for projected in (
            attention.self.query(states),
            attention.self.key(seen),
            attention.self.value(seen),
        )
    )
    if past is not None:
        key, value = torch.cat([past.keys, key], dim=2), torch.cat([past.values, value], dim=2)
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    scores = scores if mask is None else scores + mask
    context = (scores.softmax(-1) @ value).permute(0, 2, 1, 3).contiguous().flatten(2)
    return _Attended(attention.output(context, states), Past(key, value))


def _heads(states: Tensor, heads: int) -> Tensor:
    return states.view(*states.shape[:-1], heads, -1).permute(0, 2, 1, 3)


def _hiding(present: Tensor, penalty: float) -> Tensor:
    """Return what is added to the scores of what is not there, [B, 1, 1, S]."""
    return (1.0 - present[:, None, None].float()) * penalty
