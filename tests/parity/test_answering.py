"""Question answering from image and question to ranked answers, against the official model."""

import pytest
import torch

from harness.engine.answer_ranking import best_answers, rank_answers
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.answer_decoder import start_decoder
from harness.models.xvlm.adapters import XVLMAnswerer
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.golden import device_under_test
from tests.support.shortlists import cut_within_ties, ranked_alike, scores_of_ranked

KIND = "e_vqa"


@pytest.fixture(scope="module")
def answerer(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return XVLMAnswerer(checkpoint, case.path / "vocab.txt", device_under_test())


@pytest.fixture
def answers(case):
    return AnswerTree.of(listed(case.inputs["answer_ids"], case.inputs["answer_atts"])).to(
        device_under_test().torch
    )


def listed(ids, present):
    return [row[there > 0].tolist() for row, there in zip(ids, present, strict=True)]


@pytest.fixture
def questions(case, answerer):
    return answerer.encode_questions(
        case.inputs["image"], case.json("texts.json")["questions_raw"], case.arrays["image_index"]
    )


def test_questions_and_answers_become_the_official_tokens(case, answerer, answers):
    texts = case.json("texts.json")
    tokens = answerer.token_ids(texts["questions_raw"])
    assert tokens == listed(case.inputs["question_ids"], case.inputs["question_atts"])
    tree = answerer.answer_tree(tuple(texts["answers"]))
    assert tree.start == answers.start
    assert all(
        torch.equal(part, getattr(answers, name))
        for name, part in vars(tree).items()
        if name != "start"
    )


def test_questions_are_fused_with_their_images_as_officially(case, questions, close):
    there = case.inputs["question_atts"].bool()
    close(
        questions.states[there],
        case.outputs["question_states"][case.arrays["question_atts"].astype(bool)],
    )


def test_first_tokens_have_the_official_probabilities(case, answerer, questions, answers, close):
    close(
        start_decoder(answerer.network.text_decoder, questions, answers).first.exp(),
        case.outputs["prob_first_token"],
    )


def test_all_answers_are_ranked_as_officially(case, answerer, questions, answers, close):
    start = start_decoder(answerer.network.text_decoder, questions, answers)
    ranking = rank_answers(start, answers, shortlist=len(answers.first))
    official, probabilities = case.outputs["topk_ids_all"], case.outputs["topk_probs_all"]
    by_answer = scores_of_ranked(official, probabilities)
    assert ranked_alike(ranking.answers.cpu().numpy(), official, by_answer)
    close(ranking.probabilities, probabilities)


def test_a_shortlist_is_ranked_as_officially(case, answerer, questions, answers, close):
    """Where the cut falls among answers with one first token, torch's choice is unspecified."""
    k = int(case.inputs["k_test"])
    start = start_decoder(answerer.network.text_decoder, questions, answers)
    ranking = rank_answers(start, answers, shortlist=k)
    assert ranking.answers.shape == (len(questions.states), k)
    certain = ~cut_within_ties(case.outputs["prob_first_token"], k)
    by_answer = scores_of_ranked(case.outputs["topk_ids_all"], case.outputs["topk_probs_all"])
    found, official = ranking.answers.cpu().numpy(), case.outputs["topk_ids"]
    assert ranked_alike(found[certain], official[certain], by_answer[certain])
    close(ranking.probabilities.cpu()[certain], case.outputs["topk_probs"][certain])


def test_a_tie_at_the_end_of_the_shortlist_goes_to_the_lower_index(
    case, answerer, questions, answers
):
    k = int(case.inputs["k_test"])
    start = start_decoder(answerer.network.text_decoder, questions, answers)
    first = start.first.cpu().numpy()
    for row, found in enumerate(rank_answers(start, answers, shortlist=k).answers.tolist()):
        expected = sorted(
            range(len(answers.first)), key=lambda answer: (-first[row, answer], answer)
        )[:k]
        assert sorted(found) == sorted(expected)


def test_the_best_answer_is_the_official_one(case, answerer):
    texts = case.json("texts.json")
    official = case.json("expected.json")
    if cut_within_ties(case.outputs["prob_first_token"], int(case.inputs["k_test"])).any():
        k = len(texts["answers"])
        expected = [texts["answers"][row[0]] for row in case.outputs["topk_ids_all"]]
    else:
        k = int(case.inputs["k_test"])
        expected = [entry["answer"] for entry in official["result"]]
    questions = answerer.encode_questions(
        case.inputs["image"], texts["questions_raw"], case.arrays["image_index"]
    )
    tree = answerer.answer_tree(tuple(texts["answers"]))
    start = start_decoder(answerer.network.text_decoder, questions, tree)
    found = best_answers(start, tree, shortlist=k).tolist()
    assert [texts["answers"][answer] for answer in found] == expected
