"""VQA: 10 questions about 2 images, with the whole shortlist scored and with early stop."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.bench import inputs
from harness.bench.agreement import Agreement, compare_decisions
from harness.bench.comparison import Comparison
from harness.bench.fixtures import Fixtures
from harness.bench.literal import answering
from harness.engine.answer_ranking import best_answers, rank_answers
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.answer_decoder import start_decoder
from harness.models.fusion.fused_texts import FusedTexts
from harness.models.xvlm.adapters import XVLMAnswerer
from harness.models.xvlm.heads import AnsweringNetwork

# Added to the logit of [SEP], so that short answers are likely, as they are in VQA. With random
# weights, scoring never stops early otherwise.
END_BIAS = 12.0

RankAnswers = Callable[[XVLMAnswerer, FusedTexts, AnswerTree], Any]


def prepare_answer_ranking(fixtures: Fixtures) -> Comparison[Any]:
    """Rank all answers of the shortlist."""
    return _prepare(
        fixtures,
        rank=lambda model, questions, tree: rank_answers(
            start_decoder(model.network.text_decoder, questions, tree, model.scoring),
            tree,
            shortlist=fixtures.size.shortlist,
        ),
    )


def prepare_early_stop(fixtures: Fixtures) -> Comparison[Any]:
    """Choose the best answer where short answers are likely.

    The engine scores no more answers than necessary. Changes the weights of the models.
    """
    fixtures.discard_models()
    model = fixtures.model("vqa")
    for network in (model.network, fixtures.network("vqa")):
        bias = network.text_decoder.cls.predictions.decoder.bias
        bias[model.runtime.tokenizer.sep] += END_BIAS
    return _prepare(
        fixtures,
        rank=lambda model, questions, tree: best_answers(
            start_decoder(model.network.text_decoder, questions, tree, model.scoring),
            tree,
            shortlist=fixtures.size.shortlist,
        ),
    )


def _prepare(fixtures: Fixtures, *, rank: RankAnswers) -> Comparison[Any]:
    model: XVLMAnswerer = fixtures.model("vqa")
    network: AnsweringNetwork = fixtures.network("vqa")
    texts = inputs.answers(fixtures.size.answers, fixtures.words)
    tree = model.answer_tree(texts)
    answers = fixtures.pad([model.runtime.tokenizer.ids(f"{text}[SEP]") for text in texts])
    images = fixtures.images(2, fixtures.size.vqa_side)
    questions = fixtures.texts(10, inputs.VQA)
    image_of = np.repeat([0, 1], 5)

    def engine() -> Any:
        return rank(model, model.encode_questions(images, questions, image_of), tree)

    def literal() -> answering.Ranking:
        ids, mask = fixtures.pad(model.token_ids(questions))
        images_of_questions = images[torch.from_numpy(image_of)]
        states = answering.encode_questions(network, images_of_questions, ids, mask)
        return answering.rank_answers(
            network,
            states,
            mask,
            answering.Answers(answers.ids, answers.mask),
            shortlist=fixtures.size.shortlist,
        )

    return Comparison(engine, literal, _compare_answers)


def _compare_answers(actual: Any, expected: answering.Ranking) -> Agreement:
    """Compare a ranking, or the best answers [Q], with the literal ranking.

    The score of a best answer is the probability that the literal ranking gives it.
    """
    if isinstance(actual, Tensor):
        chosen = expected.answers == actual[:, None]
        return compare_decisions(
            actual.tolist(),
            expected.answers[:, 0].tolist(),
            scores=(chosen.float() * expected.probabilities).sum(1),
            expected_scores=expected.probabilities[:, 0],
        )
    probabilities, expected_probabilities = (
        ranking.probabilities.gather(1, ranking.answers.argsort(1))
        for ranking in (actual, expected)
    )
    return compare_decisions(
        actual.answers.tolist(),
        expected.answers.tolist(),
        scores=probabilities,
        expected_scores=expected_probabilities,
    )
