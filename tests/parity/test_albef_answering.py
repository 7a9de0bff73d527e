"""ALBEF's ranking of answers to questions, against the official model."""

import numpy as np
import pytest
import torch

from harness.engine.answer_ranking import best_answers, rank_answers, score_later_tokens
from harness.models.albef.adapters import AlbefAnswerer
from harness.models.albef.networks import official_names
from harness.models.fusion.answer_decoder import start_decoder
from harness.models.vit.checkpoint import read_checkpoint
from tests.support.golden import device_under_test
from tests.support.shortlists import cut_within_ties, ranked_alike, scores_of_ranked
from tests.support.text_rules import rule_of

KIND = "albef_vqa"


@pytest.fixture(scope="module")
def answerer(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    answerer = AlbefAnswerer(checkpoint, case.path / "vocab.txt", device_under_test())
    answerer.rule = rule_of(case, answerer.rule)
    return answerer


@pytest.fixture
def questions(case, answerer):
    return answerer.encode_questions(
        case.inputs["image"], raw_questions(case), case.arrays["image_index"]
    )


@pytest.fixture
def tree(case, answerer):
    return answerer.answer_tree(tuple(case.json("texts.json")["answers"]))


@pytest.fixture
def start(answerer, questions, tree):
    return start_decoder(answerer.network.text_decoder, questions, tree, answerer.scoring)


def raw_questions(case):
    return case.json("texts.json")["questions_raw"]


def without_padding(ids, present):
    return [row[part > 0].tolist() for row, part in zip(ids, present, strict=True)]


def test_questions_and_answers_become_the_official_tokens(case, answerer):
    inputs = case.inputs
    official = without_padding(inputs["question_ids"], inputs["question_atts"])
    assert answerer.token_ids(raw_questions(case)) == official
    answers = case.json("texts.json")["answers"]
    assert [answerer.answer_ids(answer) for answer in answers] == without_padding(
        inputs["answer_ids"], inputs["answer_atts"]
    )


def test_questions_are_fused_with_their_images_as_officially(case, questions, close):
    present = case.arrays["question_atts"].astype(bool)
    close(questions.states[torch.from_numpy(present)], case.outputs["question_states"][present])


def test_first_tokens_have_the_official_probabilities(case, start, close):
    close(start.first.exp(), case.outputs["prob_first_token"])


def losses(start, tree):
    """Return minus the score of every answer, with its first token counted as the scoring does."""
    all_answers = torch.arange(len(tree.first)).expand(len(start.first), -1)
    later = score_later_tokens(start, tree, all_answers.to(start.first.device))
    return -(start.first_score + later)


def test_every_answer_has_the_official_loss(case, start, tree, close):
    """The official loss holds the first token once, the score twice."""
    close(losses(start, tree) + start.first, case.outputs["answer_loss"])


def certain_rows(case, k):
    """Return the questions whose shortlist of k does not cut a group of equally likely answers.

    Where it does, torch takes any of them.
    """
    return np.flatnonzero(~cut_within_ties(case.outputs["prob_first_token"], k)).tolist()


def test_answers_are_ranked_as_officially(case, start, tree, close):
    by_answer = scores_of_ranked(case.outputs["topk_ids_all"], case.outputs["topk_probs_all"])
    for name, k in {"": int(case.inputs["k_test"]), "_all": len(tree.first)}.items():
        ranking = rank_answers(start, tree, shortlist=k)
        for row in certain_rows(case, k):
            found = ranking.answers[row : row + 1].cpu().numpy()
            official = case.outputs[f"topk_ids{name}"][row : row + 1]
            assert ranked_alike(found, official, by_answer[row : row + 1])
            close(ranking.probabilities[row], case.outputs[f"topk_probs{name}"][row])


def test_the_best_answers_are_the_official_ones(case, start, tree):
    k = int(case.inputs["k_test"])
    best = best_answers(start, tree, shortlist=k)
    answers = case.json("texts.json")["answers"]
    official = [row["answer"] for row in case.json("expected.json")["result"]]
    found = [answers[answer] for answer in best.tolist()]
    for row in certain_rows(case, k):
        assert found[row] == official[row]
