"""Answers as one tree of prefixes, and a ranking that stops as soon as nothing can change its first."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm import answerer
from harness.models.xvlm.answerer import Questions, best, rank

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


def spelled(*answers):
    return [[CLS, *answer, SEP] for answer in answers]


def test_what_answers_have_in_common_is_one_node():
    tree = AnswerTree.of(spelled([5], [5, 6], [5, 6, 7], [8]))
    assert tree.token.tolist() == [CLS, 5, 6, 7, 8] and tree.depth.tolist() == [0, 1, 2, 3, 1]
    assert tree.first.tolist() == [5, 5, 5, 8]
    assert tree.words.tolist() == [[2, 0, 0], [6, 2, 0], [6, 7, 2], [2, 0, 0]]
    assert tree.path.tolist() == [[1, 0, 0], [1, 2, 0], [1, 2, 3], [4, 0, 0]]


def test_a_prefix_sees_itself_and_those_it_goes_through():
    tree = AnswerTree.of(spelled([5], [5, 6], [5, 6, 7], [8]))
    read = tree.prefixes(torch.tensor([[2, 3], [0, 3]]))
    assert read.nodes.tolist() == [[1, 2, 3, 4], [1, 4, 0, 0]] and read.present.tolist() == [
        [True] * 4,
        [True, True, False, False],
    ]
    assert read.attention_mask[0].int().tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 0, 0, 1],
    ]
    assert read.row.tolist() == [0, 1, 2, 3, 4, 5] and read.word.tolist() == [6, 7, 2, 2, 2, 2]


def test_of_answers_with_the_same_tokens_the_first_one_stands_for_all():
    assert AnswerTree.of(spelled([5], [8], [5])).duplicate_of.tolist() == [0, 1, 0]


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(3)
    return LanguageModel(SIZES).eval().requires_grad_(False)


def asked(count, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return Questions(
        torch.randn(count, 3, 16, generator=draws), torch.ones(count, 3, dtype=torch.long)
    )


def read_whole(decoder, questions, answer):
    """The reference's own score: every answer read from its beginning, the first word counted twice."""
    memory = decoder.bert.project_kv(questions.states)
    ids = torch.tensor(answer[:-1]).expand(len(questions.states), 1, -1)
    words = decoder.log_probabilities(decoder.bert.decode(ids, memory).states[:, 0])
    each = words.gather(2, torch.tensor(answer[1:]).expand(len(words), -1)[..., None])[..., 0]
    return each.sum(1) + each[:, 0]


ANSWERS = st.lists(st.lists(st.integers(3, 19), min_size=1, max_size=4), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(ANSWERS, st.integers(1, 70), st.integers(0, 99))
def test_the_tree_scores_every_answer_as_if_read_alone_and_the_early_stop_finds_the_first(
    decoder, answers, shortlist, seed
):
    answers, questions = spelled(*answers), asked(2, seed)
    tree = AnswerTree.of(answers)
    ranking = rank(decoder, questions, tree, shortlist=shortlist)
    plainly = torch.stack([read_whole(decoder, questions, answer) for answer in answers], dim=1)
    for question in range(2):
        scores = plainly[question, ranking.answers[question]]
        assert torch.allclose(scores.softmax(0), ranking.probabilities[question], atol=1e-6)
    assert best(decoder, questions, tree, shortlist=shortlist).tolist() == [
        tree.duplicate_of[first].item() for first in ranking.answers[:, 0]
    ]


@pytest.mark.parametrize(("certainty", "reads_all"), [(12.0, False), (-100.0, True)])
def test_few_answers_are_read_where_later_ones_cannot_win_and_all_where_they_can(
    certainty, reads_all, monkeypatch
):
    """An end of text that is all but certain costs nothing, so that the likeliest first word decides; an unlikely one costs all alike."""
    torch.manual_seed(4)
    decoder = LanguageModel(SIZES).eval().requires_grad_(False)
    decoder.cls.predictions.bias[SEP] += certainty
    questions, tree = (
        asked(3),
        AnswerTree.of(
            spelled(*([first] for first in range(3, 20)), *([first, 3] for first in range(3, 20)))
        ),
    )
    read, later_words = [], answerer._later_words
    monkeypatch.setattr(
        answerer,
        "_later_words",
        lambda *given: read.append(given[3].numel()) or later_words(*given),
    )
    found = best(decoder, questions, tree, shortlist=34).tolist()
    assert (sum(read) == 3 * 34) == reads_all
    assert found == rank(decoder, questions, tree, shortlist=34).answers[:, 0].tolist()


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
            id="all score -3.0: the lowest index wins, though read last",
        ),
        pytest.param(
            [-1.0] * 8 + [-1.5],
            [-0.9] * 8 + [0.0],
            0,
            id="the ninth cannot score more than -3.0, the others have -2.9",
        ),
    ],
)
def test_reading_stops_only_where_no_answer_that_is_left_can_win(first, later, winner, monkeypatch):
    """Eight answers are read at first, by their likeliest first words; an answer scores its first word twice and its later words."""
    begun = answerer.Beginning([], None, [], torch.tensor([first]))
    monkeypatch.setattr(answerer, "begin", lambda *_: begun)
    monkeypatch.setattr(
        answerer, "_later_words", lambda decoder, begun, tree, chosen: torch.tensor(later)[chosen]
    )
    tree = AnswerTree.of(spelled(*([word] for word in range(3, 12))))
    assert best(None, None, tree, shortlist=9).tolist() == [winner]
