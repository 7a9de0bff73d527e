"""A decoder that scores answers, question by question: the steps that answer ranking needs.

A question that has been fused with its image takes the place of the image: the decoder
cross-attends to it (X-VLM's and ALBEF's `model_vqa.py`, BLIP's `blip_vqa.py`).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.engine.answer_ranking import FIRST_TWICE, ScoringRule, TreeStep
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.fused_texts import FusedTexts
from harness.models.fusion.kv import KV, CrossKV
from harness.models.fusion.language_model import LanguageModel


@dataclass(frozen=True)
class FusionAnswerDecoder:
    """The decoder after its first token, [CLS] or [DEC]; a `harness.engine` `AnswerDecoder`.

    questions    the keys and values of Q questions, for cross-attention
    past         each layer's keys and values of the decoder's first token
    first        the log-probability of each answer's first token, [Q, A]
    first_score  its score by the `rule`, [Q, A]
    """

    network: LanguageModel
    questions: CrossKV
    past: list[KV]
    first: Tensor
    first_score: Tensor
    rule: ScoringRule

    def score_tokens(self, step: TreeStep) -> Tensor:
        """Return the scores [E] of the tokens of a step."""
        state = self.network.bert.decode(
            step.tokens[:, None],
            self.questions,
            past=self.past,
            position_ids=step.position_ids[:, None],
            mask=step.mask[:, None],
        )
        return self.network.log_likelihood(
            state.states[:, 0][step.present], step.row, step.token, smoothing=self.rule.smoothing
        )

    def select(self, rows: Tensor) -> "FusionAnswerDecoder":
        """Return the decoder of some of the questions."""
        return replace(
            self,
            questions=self.questions.select(rows),
            past=[layer.select(rows) for layer in self.past],
            first=self.first[rows],
            first_score=self.first_score[rows],
        )


def start_decoder(
    network: LanguageModel,
    questions: FusedTexts,
    answers: AnswerTree,
    rule: ScoringRule = FIRST_TWICE,
) -> FusionAnswerDecoder:
    """Decode the first token, [CLS] or [DEC], for every question."""
    kv = network.bert.project_kv(questions.states, questions.present)
    count, device = len(questions.states), questions.states.device
    begin = torch.full((count, 1, 1), answers.start, device=device)
    state = network.bert.decode(begin, kv)
    all_tokens = network.log_probabilities(state.states[:, 0, 0])
    first = all_tokens[:, answers.first]
    score = first
    if rule.smoothing:
        mean = all_tokens.mean(1, keepdim=True)
        score = (1 - rule.smoothing) * first + rule.smoothing * mean
    return FusionAnswerDecoder(network, kv, state.past, first, rule.first * score, rule)
