"""Rank a fixed list of answers to a question by how likely a decoder is to generate them.

The reference's `rank_answer` (X-VLM's and ALBEF's `model_vqa.py`): a question that has been fused
with its image takes the place of the image, and the decoder cross-attends to it.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.engine.packing import MASKED
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.fused_texts import FusedTexts
from harness.models.fusion.kv import KV, CrossKV
from harness.models.fusion.language_model import LanguageModel

FIRST_SCORED = 8  # answers scored before most of the others can be ruled out


class Ranking(NamedTuple):
    """Answers [Q, k] by index, best first, and the probability of each among the k."""

    answers: Tensor
    probabilities: Tensor


class DecoderStart(NamedTuple):
    """The decoder after [CLS]: its cross-attention keys and values of Q questions, its own ones of
    [CLS], and the log-probability [Q, A] of each answer's first token.
    """

    questions: CrossKV
    past: list[KV]
    first: Tensor

    def select(self, rows: Tensor) -> "DecoderStart":
        """Return some of the questions."""
        past = [layer.select(rows) for layer in self.past]
        return DecoderStart(self.questions.select(rows), past, self.first[rows])


def start_decoder(
    decoder: LanguageModel, questions: FusedTexts, answers: AnswerTree
) -> DecoderStart:
    """Decode [CLS] for every question."""
    kv = decoder.bert.project_kv(questions.states, questions.present)
    count, device = len(questions.states), questions.states.device
    cls = torch.full((count, 1, 1), answers.start, device=device)
    state = decoder.bert.decode(cls, kv)
    first = decoder.log_probabilities(state.states[:, 0, 0])[:, answers.first]
    return DecoderStart(kv, state.past, first)


def rank_answers(
    decoder: LanguageModel, questions: FusedTexts, answers: AnswerTree, *, shortlist: int
) -> Ranking:
    """Rank the `shortlist` answers with the likeliest first tokens.

    The score of an answer is the log-probability of its first token plus that of all its tokens up
    to [SEP]: the first token counts twice, as in the reference. Ties go to the lower index.
    """
    start = start_decoder(decoder, questions, answers)
    chosen = _likeliest(start.first, shortlist).sort(dim=1).values
    score = 2 * start.first.gather(1, chosen) + score_later_tokens(decoder, start, answers, chosen)
    ranked = score.sort(dim=1, descending=True, stable=True)
    return Ranking(chosen.gather(1, ranked.indices), ranked.values.softmax(-1))


def best_answers(
    decoder: LanguageModel, questions: FusedTexts, answers: AnswerTree, *, shortlist: int
) -> Tensor:
    """Return the first answer of the ranking, [Q], scoring no more answers than necessary.

    Answers are scored from the likeliest first token on, ever more at a time. Later tokens only
    lower a score: once twice the log-probability of the next first token is below the best score,
    no remaining answer can win.
    """
    start = start_decoder(decoder, questions, answers)
    chosen = _likeliest(start.first, shortlist)
    bound = 2 * start.first.gather(1, chosen)
    score = torch.full_like(bound, -torch.inf)
    undecided = torch.arange(len(bound), device=bound.device)
    low, count = 0, FIRST_SCORED
    while low < chosen.shape[1] and len(undecided):
        some = slice(low, low + count)
        later = score_later_tokens(decoder, start, answers, chosen[undecided, some])
        score[undecided, some] = bound[undecided, some] + later
        low, count = low + count, 2 * count
        if low < chosen.shape[1]:
            can_win = bound[undecided, low] >= score[undecided].amax(1)
            undecided, start = undecided[can_win], start.select(can_win)
    winners = score == score.amax(1, keepdim=True)
    return answers.duplicate_of[chosen].masked_fill(~winners, len(answers.duplicate_of)).amin(1)


def score_later_tokens(
    decoder: LanguageModel, start: DecoderStart, answers: AnswerTree, chosen: Tensor
) -> Tensor:
    """Return the summed log-probability of all tokens but the first of answers `chosen` [Q, c].

    One decoder step scores them all: the prefixes of a question's answers form a tree, whose nodes
    attend to their ancestors and to [CLS].
    """
    tree = answers.prefixes(chosen)
    attended = F.pad(tree.attention_mask, (1, 0), value=True)
    nodes = tree.nodes[:, None]
    state = decoder.bert.decode(
        answers.token[nodes],
        start.questions,
        past=start.past,
        position_ids=answers.depth[nodes],
        mask=torch.where(attended, 0.0, MASKED)[:, None],
    )
    scores = torch.zeros(tree.scored.shape, device=attended.device)
    scores[tree.scored] = decoder.log_likelihood(
        state.states[:, 0][tree.present], tree.row, tree.token
    )
    return scores.sum(-1)


def _likeliest(first: Tensor, count: int) -> Tensor:
    """Return the `count` answers with the likeliest first tokens [Q, count], best first.

    Ties go to the lower index.
    """
    return first.sort(dim=1, descending=True, stable=True).indices[:, :count]
