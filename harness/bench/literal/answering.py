"""VQA as in the paper's `model_vqa.py`: a row per question, then a row per question and answer."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.bench.literal.bert import decode, encode_multi_modal
from harness.bench.literal.swin import encode
from harness.models.xvlm.heads import AnsweringNetwork

NO_TARGET = -100  # target of a position without a next token


class Answers(NamedTuple):
    """All answers as token ids [A, L], with [CLS] and [SEP], and their attention mask [A, L]."""

    ids: Tensor
    mask: Tensor


class Ranking(NamedTuple):
    """Answers [Q, k] by index, best first, and the probability of each among the k."""

    answers: Tensor
    probabilities: Tensor


def encode_questions(
    network: AnsweringNetwork, images: Tensor, ids: Tensor, mask: Tensor
) -> Tensor:
    """Return the states [Q, T, d] of questions `ids` [Q, T], fused with images [Q, 3, R, R]."""
    tokens = encode(network.vision_encoder, network.architecture.vision, images)
    return encode_multi_modal(network.text_encoder, ids, mask, [tokens])


def rank_answers(
    network: AnsweringNetwork, states: Tensor, mask: Tensor, answers: Answers, *, shortlist: int
) -> Ranking:
    """Rank, for questions `states` [Q, T, d], the `shortlist` answers with likeliest first tokens.

    Among answers with the same first token, the reference's `topk` takes any; here the lower index
    comes first, so that results can be compared.
    """
    decoder, count = network.text_decoder, len(states)
    start = answers.ids[0, 0].repeat(count, 1)
    first_logits = decode(
        decoder, start, torch.ones_like(start), encoder_states=states, encoder_mask=mask
    ).logits[:, 0]
    sorted_answers = (
        first_logits.softmax(1)
        .index_select(1, answers.ids[:, 1])
        .sort(dim=1, descending=True, stable=True)
    )
    first_probabilities = sorted_answers.values[:, :shortlist]
    listed = sorted_answers.indices[:, :shortlist]
    ids, answer_mask = answers.ids[listed.flatten()], answers.mask[listed.flatten()]
    targets = ids.masked_fill(answer_mask == 0, NO_TARGET)
    logits = decode(
        decoder,
        ids,
        answer_mask,
        encoder_states=states.repeat_interleave(shortlist, dim=0),
        encoder_mask=mask.repeat_interleave(shortlist, dim=0),
    ).logits
    loss = _loss(logits, targets).view(count * shortlist, 1)
    # The first token counts twice: by its own probability, and as the first term of the loss.
    sums = torch.cat([first_probabilities.reshape(-1, 1).log(), -loss], dim=1).sum(1)
    best = sums.view(count, shortlist).softmax(-1).topk(shortlist, dim=1)
    return Ranking(listed.gather(1, best.indices), best.values)


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the summed cross entropy [B] of the tokens after the first.

    `logits` is [B, L, vocabulary], `targets` [B, L].
    """
    predictions = logits[:, :-1].contiguous()
    losses = F.cross_entropy(
        predictions.view(-1, predictions.shape[-1]),
        targets[:, 1:].reshape(-1),
        reduction="none",
        ignore_index=NO_TARGET,
    )
    return losses.view(len(logits), -1).sum(1)
