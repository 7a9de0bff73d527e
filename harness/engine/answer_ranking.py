"""Rank a fixed list of answers to questions by how likely a model is to generate them.

The algorithm behind X-VLM's and ALBEF's `rank_answer` (`model_vqa.py`) and BLIP's: a shortlist by
the first tokens, then the later tokens of the answers in it. A model offers two small steps, an
`AnswerDecoder`; answers that begin alike share them, and a question stops as soon as no remaining
answer can win.
"""

from typing import NamedTuple, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.engine.finite import refuse_nan
from harness.engine.prefix_tree import AnswerTree
from harness.engine.segments import MASKED

FIRST_SCORED = 8  # answers scored before most of the others can be ruled out


class ScoringRule(NamedTuple):
    """How the log-probabilities of an answer's tokens are summed to its score.

    The first token counts `first` times. With `smoothing` s (label smoothing: BLIP), a token counts
    (1 - s) times its log-probability plus s times the mean one of the whole vocabulary.
    """

    first: float
    smoothing: float = 0.0


FIRST_TWICE = ScoringRule(first=2.0)  # X-VLM and ALBEF


class Ranking(NamedTuple):
    """Answers [Q, k] by index, best first, and the probability of each among the k."""

    answers: Tensor
    probabilities: Tensor


class TreeStep(NamedTuple):
    """The prefixes of some answers to Q questions, decoded in one step after the first token.

    `tokens` and `position_ids` [Q, n] are padded, `present` [Q, n] is False at padding. `mask`
    [Q, n, 1 + n] is added to the attention scores: a prefix attends to the decoder's first token,
    to the prefixes that it continues, and to itself. Token `token` [E] is scored after the prefix
    `row` [E], an index into the prefixes present, flattened.
    """

    tokens: Tensor
    position_ids: Tensor
    mask: Tensor
    present: Tensor
    row: Tensor
    token: Tensor


class AnswerDecoder(Protocol):
    """What a model offers: a decoder of Q questions that has read the answers' common first token.

    `first` [Q, A] is the log-probability of each answer's first own token, by which answers are
    shortlisted, and `first_score` [Q, A] its weighted score.
    """

    @property
    def first(self) -> Tensor: ...

    @property
    def first_score(self) -> Tensor: ...

    def score_tokens(self, step: TreeStep) -> Tensor:
        """Return the scores [E] of the tokens of a step, by the model's rule; at most 0."""
        ...

    def select(self, rows: Tensor) -> Self:
        """Return the decoder of some of the questions."""
        ...


def rank_answers(decoder: AnswerDecoder, answers: AnswerTree, *, shortlist: int) -> Ranking:
    """Rank the `shortlist` answers with the likeliest first tokens.

    The score of an answer is that of its first token plus those of its later ones up to [SEP]. Ties
    go to the lower index.
    """
    chosen = _likeliest(decoder.first, shortlist).sort(dim=1).values
    later = score_later_tokens(decoder, answers, chosen)
    scores = decoder.first_score.gather(1, chosen) + later
    ranked = scores.sort(dim=1, descending=True, stable=True)
    return Ranking(chosen.gather(1, ranked.indices), ranked.values.softmax(-1))


def best_answers(decoder: AnswerDecoder, answers: AnswerTree, *, shortlist: int) -> Tensor:
    """Return the first answer of the ranking, [Q], scoring no more answers than necessary.

    Answers are scored from the likeliest first token on, ever more at a time. Later tokens only
    lower a score: once the score of the next first token is below the best score, no remaining
    answer can win. Raises ModelError where a best score is NaN.
    """
    chosen = _likeliest(decoder.first, shortlist)
    bound = decoder.first_score.gather(1, chosen)
    score = torch.full_like(bound, -torch.inf)
    undecided = torch.arange(len(bound), device=bound.device)
    low, count = 0, FIRST_SCORED
    while low < chosen.shape[1] and len(undecided):
        some = slice(low, low + count)
        later = score_later_tokens(decoder, answers, chosen[undecided, some])
        score[undecided, some] = bound[undecided, some] + later
        low, count = low + count, 2 * count
        if low < chosen.shape[1]:
            can_win = bound[undecided, low] >= score[undecided].amax(1)
            undecided, decoder = undecided[can_win], decoder.select(can_win)
    best = score.amax(1, keepdim=True)
    refuse_nan(best, "questions")
    winners = score == best
    return answers.duplicate_of[chosen].masked_fill(~winners, len(answers.duplicate_of)).amin(1)


def score_later_tokens(decoder: AnswerDecoder, answers: AnswerTree, chosen: Tensor) -> Tensor:
    """Return the summed score of all tokens but the first of answers `chosen` [Q, c].

    One decoder step scores them all: the prefixes of a question's answers form a tree, whose nodes
    attend to their ancestors and to the decoder's first token.
    """
    tree = answers.prefixes(chosen)
    scores = torch.zeros(tree.scored.shape, device=tree.scored.device)
    if not len(tree.row):  # every answer is [SEP] alone: no step to decode
        return scores.sum(-1)
    attended = F.pad(tree.attention_mask, (1, 0), value=True)
    step = TreeStep(
        tokens=answers.token[tree.nodes],
        position_ids=answers.depth[tree.nodes],
        mask=torch.where(attended, 0.0, MASKED),
        present=tree.present,
        row=tree.row,
        token=tree.token,
    )
    scores[tree.scored] = decoder.score_tokens(step)
    return scores.sum(-1)


def _likeliest(first: Tensor, count: int) -> Tensor:
    """Return the `count` answers with the likeliest first tokens [Q, count], best first.

    Ties go to the lower index.
    """
    return first.sort(dim=1, descending=True, stable=True).indices[:, :count]
