"""BLIP's ranking and generation of answers to questions, against the official model."""

import pytest
import torch

from harness.engine.answer_ranking import ScoringRule, best_answers
from harness.engine.beam_search import Beams
from harness.models.blip.adapters import BlipAnswerer, BlipAnswerGenerator
from harness.models.blip.key_names import official_names
from harness.models.fusion.answer_decoder import start_decoder
from harness.models.vit.checkpoint import read_checkpoint
from tests.parity.test_albef_answering import (  # noqa: F401
    losses,
    questions,
    raw_questions,
    start,
    test_first_tokens_have_the_official_probabilities,
    test_questions_and_answers_become_the_official_tokens,
    test_questions_are_fused_with_their_images_as_officially,
    tree,
)
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "blip_vqa"


def read(case, adapter):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    model = adapter(checkpoint, case.path / "vocab.txt", device_under_test())
    model.rule = rule_of(case, model.rule)
    return model


@pytest.fixture(scope="module")
def answerer(case):
    answerer = read(case, BlipAnswerer)
    answerer.scoring = ScoringRule(first=1.0, smoothing=case.config["config"]["label_smoothing"])
    return answerer


def test_the_rules_are_those_of_the_released_configuration():
    assert BlipAnswerer.scoring == ScoringRule(first=1.0, smoothing=0.1)
    assert BlipAnswerGenerator.released_beams == Beams(width=3, max_length=10, min_length=1)


def test_every_answer_has_the_official_smoothed_loss(case, start, tree, close):  # noqa: F811
    close(losses(start, tree), case.outputs["answer_loss"])


def test_without_smoothing_every_answer_has_the_official_plain_loss(
    case,
    answerer,
    questions,  # noqa: F811
    tree,  # noqa: F811
    close,
):
    rule = ScoringRule(first=1.0)
    plain = start_decoder(answerer.network.text_decoder, questions, tree, rule)
    close(losses(plain, tree), case.outputs["answer_loss_unsmoothed"])


def test_the_best_answers_are_the_official_ones(case, start, tree):  # noqa: F811
    for name, k in {"max_ids": int(case.inputs["k_test"]), "max_ids_all": len(tree.first)}.items():
        best = best_answers(start, tree, shortlist=k)
        assert best.tolist() == case.outputs[name].tolist()
    answers = case.json("texts.json")["answers"]
    official = [row["answer"] for row in case.json("expected.json")["rank"]]
    best = best_answers(start, tree, shortlist=int(case.inputs["k_test"]))
    assert [answers[answer] for answer in best.tolist()] == official


@pytest.fixture(scope="module")
def generator(case):
    return read(case, BlipAnswerGenerator)


def test_generated_answers_are_those_of_questions_asked_alone(case, generator, close):
    texts = raw_questions(case)
    config = case.config["config"]["generate"]
    beams = Beams(config["num_beams"], config["max_length"], config["min_length"])
    found = generator.generate(case.inputs["image"], texts, case.arrays["image_index"], beams)
    close(torch.tensor([answer.score for answer in found]), case.outputs["generated_scores_alone"])
    spelled = [generator.runtime.tokenizer.text(answer.tokens) for answer in found]
    official = case.json("expected.json")["generate_one_by_one"]
    assert spelled == [row["answer"] for row in official]
