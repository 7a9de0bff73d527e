"""VQA as in the paper's `model_vqa.py`: a row is a question with its image; then, a row is an answer with the states of its question."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench.literal.bert import decode, multi_modal
from harness.bench.literal.swin import encode
from harness.models.xvlm.heads import AnsweringNetwork

NO_TARGET = -100  # of a position at which no word is to come


class Answers(NamedTuple):
    """All answers as tokens [A, L], [CLS] and [SEP] included, padded to the longest of all; `present` [A, L] is 1 for tokens."""

    ids: Tensor
    present: Tensor


class Ranking(NamedTuple):
    """Answers [Q, k] by index, best first, and the probability of each among the k."""

    answers: Tensor
    probabilities: Tensor


def consider(network: AnsweringNetwork, images: Tensor, ids: Tensor, present: Tensor) -> Tensor:
    """Return the states [Q, T, d] of questions `ids` [Q, T] after each looked at its own image of `images` [Q, 3, R, R]."""
    seen = encode(network.vision_encoder, network.architecture.vision, images)
    return multi_modal(network.text_encoder, ids, present, [seen])


def rank_answer(
    network: AnsweringNetwork, states: Tensor, present: Tensor, answers: Answers, *, shortlist: int
) -> Ranking:
    """Rank the `shortlist` answers with the likeliest first words, for each of the questions `states` [Q, T, d].

    The reference's `topk` takes any of the answers with the same first word; here it is the lower index, so that results compare.
    """
    decoder, count = network.text_decoder, len(states)
    start = answers.ids[0, 0].repeat(count, 1)
    logits = decode(
        decoder, start, torch.ones_like(start), seen=states, seen_present=present
    ).logits[:, 0]
    likeliest = (
        logits.softmax(1)
        .index_select(1, answers.ids[:, 1])
        .sort(dim=1, descending=True, stable=True)
    )
    first, chosen = likeliest.values[:, :shortlist], likeliest.indices[:, :shortlist]
    listed = chosen.flatten()
    ids, there = answers.ids[listed], answers.present[listed]
    targets = ids.masked_fill(there == 0, NO_TARGET)
    tiled = states.repeat_interleave(shortlist, dim=0)
    words = decode(
        decoder, ids, there, seen=tiled, seen_present=present.repeat_interleave(shortlist, dim=0)
    ).logits
    loss = _loss(words, targets).view(count * shortlist, 1)
    # The first word counts twice: by its own probability, and as the first term of the loss.
    total = torch.cat([first.reshape(-1, 1).log(), -loss], dim=1).sum(1).view(count, shortlist)
    best = total.softmax(-1).topk(shortlist, dim=1)
    return Ranking(chosen.gather(1, best.indices), best.values)


def _loss(words: Tensor, targets: Tensor) -> Tensor:
    """Return the cross entropy of each row's words after the first token, summed: logits [B, L, vocabulary], targets [B, L]."""
    before = words[:, :-1].contiguous()
    losses = F.cross_entropy(
        before.view(-1, before.shape[-1]),
        targets[:, 1:].reshape(-1),
        reduction="none",
        ignore_index=NO_TARGET,
    )
    return losses.view(len(words), -1).sum(1)
