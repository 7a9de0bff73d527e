"""Answers as a tree of prefixes, and a ranking that stops once nothing can change its first."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine import answer_ranking
from harness.engine.answer_ranking import FIRST_TWICE, ScoringRule, best_answers, rank_answers
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.answer_decoder import FusionAnswerDecoder, start_decoder
from harness.models.fusion.fused_texts import FusedTexts
from harness.models.fusion.kv import CrossKV
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.sizes import TextArchitecture

CLS, SEP = 1, 2
SIZES = TextArchitecture(
    vocabulary=20,
    positions=12,
    width=16,
    heads=2,
    layers=2,
    fusion_layer=0,
    inner_width=32,
    encoder_width=16,
)


def tokens(*answers):
    return [[CLS, *answer, SEP] for answer in answers]


def test_what_answers_have_in_common_is_one_node():
    tree = AnswerTree.of(tokens([5], [5, 6], [5, 6, 7], [8]))
    assert tree.token.tolist() == [CLS, 5, 6, 7, 8] and tree.depth.tolist() == [0, 1, 2, 3, 1]
    assert tree.first.tolist() == [5, 5, 5, 8]
    assert tree.later.tolist() == [[2, 0, 0], [6, 2, 0], [6, 7, 2], [2, 0, 0]]
    assert tree.path.tolist() == [[1, 0, 0], [1, 2, 0], [1, 2, 3], [4, 0, 0]]


def test_a_prefix_attends_to_itself_and_to_its_ancestors():
    tree = AnswerTree.of(tokens([5], [5, 6], [5, 6, 7], [8]))
    needed = tree.prefixes(torch.tensor([[2, 3], [0, 3]]))
    assert needed.nodes.tolist() == [[1, 2, 3, 4], [1, 4, 0, 0]]
    assert needed.present.tolist() == [[True] * 4, [True, True, False, False]]
    mask = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    assert needed.attention_mask[0].int().tolist() == mask
    assert needed.row.tolist() == [0, 1, 2, 3, 4, 5]
    assert needed.token.tolist() == [6, 7, 2, 2, 2, 2]


def test_the_first_of_answers_with_the_same_tokens_stands_for_all():
    assert AnswerTree.of(tokens([5], [8], [5])).duplicate_of.tolist() == [0, 1, 0]


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(3)
    return LanguageModel(SIZES).eval().requires_grad_(False)


def random_questions(count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return FusedTexts(
        torch.randn(count, 3, 16, generator=rng), torch.ones(count, 3, dtype=torch.long)
    )


def score_alone(decoder, questions, answer):
    """The reference's score: a whole answer decoded alone, its first token counted twice."""
    kv = decoder.bert.project_kv(questions.states)
    ids = torch.tensor(answer[:-1]).expand(len(questions.states), 1, -1)
    words = decoder.log_probabilities(decoder.bert.decode(ids, kv).states[:, 0])
    each = words.gather(2, torch.tensor(answer[1:]).expand(len(words), -1)[..., None])[..., 0]
    return each.sum(1) + each[:, 0]


# An answer without tokens is [SEP] alone: a list may hold an empty string.
ANSWERS = st.lists(st.lists(st.integers(3, 19), max_size=4), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(ANSWERS, st.integers(1, 70), st.integers(0, 99))
def test_the_tree_scores_every_answer_as_if_alone_and_the_early_stop_finds_the_first(
    decoder, answers, shortlist, seed
):
    answers, questions = tokens(*answers), random_questions(2, seed)
    tree = AnswerTree.of(answers)
    start = start_decoder(decoder, questions, tree)
    ranking = rank_answers(start, tree, shortlist=shortlist)
    alone = torch.stack([score_alone(decoder, questions, answer) for answer in answers], dim=1)
    for question in range(2):
        scores = alone[question, ranking.answers[question]]
        assert torch.allclose(scores.softmax(0), ranking.probabilities[question], atol=1e-6)
    assert best_answers(start, tree, shortlist=shortlist).tolist() == [
        tree.duplicate_of[first].item() for first in ranking.answers[:, 0]
    ]


@pytest.mark.parametrize("shortlist", [1, 9])
def test_answers_without_tokens_are_ranked_where_none_of_a_step_has_later_tokens(shortlist):
    """Nine answers are scored in two steps: the second holds an empty one alone."""
    torch.manual_seed(4)
    decoder = LanguageModel(SIZES).eval().requires_grad_(False)
    decoder.cls.predictions.bias[SEP] += 12.0 if shortlist == 1 else -10.0
    answers = tokens([], *([word, 4, 5, 6] for word in range(3, 11)))
    questions, tree = random_questions(2), AnswerTree.of(answers)
    start = start_decoder(decoder, questions, tree)
    assert (start.first.argsort(1, descending=True)[:, shortlist - 1] == 0).all()
    ranking = rank_answers(start, tree, shortlist=shortlist)
    alone = torch.stack([score_alone(decoder, questions, answer) for answer in answers], dim=1)
    assert ranking.answers[:, 0].tolist() == alone.argmax(1).tolist() == [0, 0]
    assert best_answers(start, tree, shortlist=shortlist).tolist() == [0, 0]


@pytest.mark.parametrize(("end_logit", "scores_all"), [(12.0, False), (-100.0, True)])
def test_few_answers_are_scored_where_later_ones_cannot_win_and_all_where_they_can(
    end_logit, scores_all, monkeypatch
):
    """A near-certain end costs nothing: the first token decides. An unlikely end costs all."""
    torch.manual_seed(4)
    decoder = LanguageModel(SIZES).eval().requires_grad_(False)
    decoder.cls.predictions.bias[SEP] += end_logit
    questions = random_questions(3)
    one_token, two_tokens = ([[first, *more] for first in range(3, 20)] for more in ([], [3]))
    tree = AnswerTree.of(tokens(*one_token, *two_tokens))
    scored, original = [], answer_ranking.score_later_tokens
    monkeypatch.setattr(
        answer_ranking,
        "score_later_tokens",
        lambda *given: scored.append(given[2].numel()) or original(*given),
    )
    start = start_decoder(decoder, questions, tree)
    best = best_answers(start, tree, shortlist=34).tolist()
    assert (sum(scored) == 3 * 34) == scores_all
    assert best == rank_answers(start, tree, shortlist=34).answers[:, 0].tolist()


@pytest.mark.parametrize(
    ("first", "later", "winner"),
    [
        pytest.param(
            [-1.0] * 8 + [-1.5], [-1.5] * 8 + [-0.4], 8, id="the ninth scores -3.4, the others -3.5"
        ),
        pytest.param(
            [-1.5] + [-1.0] * 8,
            [0.0] + [-1.0] * 8,
            0,
            id="all score -3.0: the lowest index wins, though scored last",
        ),
        pytest.param(
            [-1.0] * 8 + [-1.5],
            [-0.9] * 8 + [0.0],
            0,
            id="the ninth cannot score more than -3.0, the others have -2.9",
        ),
    ],
)
def test_scoring_stops_only_where_no_remaining_answer_can_win(first, later, winner, monkeypatch):
    """Eight answers are scored first; a score is twice the first token plus the later tokens."""
    probabilities = torch.tensor([first])
    start = FusionAnswerDecoder(
        None, CrossKV(()), [], probabilities, 2 * probabilities, FIRST_TWICE
    )
    monkeypatch.setattr(
        answer_ranking,
        "score_later_tokens",
        lambda decoder, tree, chosen: torch.tensor(later)[chosen],
    )
    tree = AnswerTree.of(tokens(*([word] for word in range(3, 12))))
    assert best_answers(start, tree, shortlist=9).tolist() == [winner]


def test_with_label_smoothing_the_best_answer_is_the_first_of_the_ranking():
    """The loss is torch's; the first token counts once."""
    torch.manual_seed(5)
    decoder = LanguageModel(SIZES).eval().requires_grad_(False)
    questions, scoring = random_questions(3), ScoringRule(first=1.0, smoothing=0.1)
    answers = tokens(*([first, *more] for first in range(3, 20) for more in ([], [3], [4, 5])))
    tree = AnswerTree.of(answers)
    start = start_decoder(decoder, questions, tree, scoring)
    ranking = rank_answers(start, tree, shortlist=len(answers))
    losses = torch.stack(
        [smoothed_loss(decoder, questions, answer) for answer in answers], dim=1
    ).gather(1, ranking.answers)
    assert torch.allclose((-losses).softmax(1), ranking.probabilities, atol=1e-6)
    best = best_answers(start, tree, shortlist=len(answers))
    assert best.tolist() == ranking.answers[:, 0].tolist()


def smoothed_loss(decoder, questions, answer):
    """Return torch's loss of one answer to each question, with a label smoothing of 0.1."""
    kv = decoder.bert.project_kv(questions.states, questions.present)
    ids = torch.tensor(answer).expand(len(questions.states), 1, -1)
    logits = decoder.cls.predictions(decoder.bert.decode(ids, kv).states[:, 0])[:, :-1]
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), ids[:, 0, 1:], label_smoothing=0.1, reduction="none"
    )
    return losses.sum(1)
