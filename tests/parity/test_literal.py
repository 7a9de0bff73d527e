"""The literal algorithm of `xvlm-eval bench`, against the same goldens as the engine."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.bench.literal import answering, bert, captioning, looking, retrieval, swin
from harness.engine.beam_search import Beams
from harness.models.weights import read_tensors
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.key_names import without_buffers
from harness.models.xvlm.networks import (
    answering_network,
    captioning_network,
    grounding_network,
    pair_network,
    retrieval_network,
)
from harness.models.xvlm.swin import VisionEncoder
from tests.support.golden import Case, device_under_test, golden_cases
from tests.support.official_architecture import architecture_from_config


def on(kind: str):
    """Run a test on every golden of a kind.

    This module uses several kinds, so its cases are not the fixture `case`.
    """
    return pytest.mark.parametrize(
        "golden", [pytest.param(golden, id=golden.path.name) for golden in golden_cases(kind)]
    )


def built(network, golden: Case):
    """Build a network from a golden's checkpoint."""
    return network(read_checkpoint(golden.path / "checkpoint.th", golden.path / "config.json")).to(
        device_under_test().torch
    )


@on("a_swin")
def test_every_stage_and_the_tokens_are_the_official_ones(golden, close):
    vision = architecture_from_config(golden.config["config"]).vision
    tensors = read_tensors(golden.path / "checkpoint.th")
    encoder = VisionEncoder(vision).requires_grad_(False)
    encoder.load_state_dict(
        {name.removeprefix("vision_encoder."): tensors[name] for name in without_buffers(tensors)}
    )
    encoder.to(device_under_test().torch)
    tokens = encoder.patch_embed(golden.inputs["image"])
    for number, stage in enumerate(encoder.layers):
        tokens = swin.run_stage(
            stage, tokens, side=vision.stage_side(number), window=vision.stage_window(number)
        )
        close(tokens, golden.outputs[f"stage{number}"])
    close(swin.encode(encoder, vision, golden.inputs["image"]), golden.outputs["image_embeds"])


@on("b_")
def test_every_pair_has_the_official_features_and_score(golden, close):
    network = built(retrieval_network, golden)
    seen = retrieval.see(network, golden.inputs["image"])
    texts = retrieval.read(network, golden.inputs["text_ids"], golden.inputs["text_atts"])
    for name, found in {
        "image_embeds": seen.tokens,
        "text_embeds": texts.states,
        "image_feat": seen.features,
        "text_feat": texts.features,
        "sims": seen.features @ texts.features.T,
    }.items():
        if name in golden.outputs:
            close(found, golden.outputs[name])
    everything = torch.arange(len(texts.states))
    close(
        torch.stack(
            [retrieval.rerank(network, tokens, texts, everything) for tokens in seen.tokens]
        ),
        golden.outputs["itm_logits"],
    )


@on("b_retrieval")
def test_both_matrices_are_the_official_ones(golden, close):
    network, k = built(retrieval_network, golden), golden.config["config"]["k_test"]
    found = retrieval.evaluate(
        network,
        golden.inputs["image"],
        golden.inputs["text_ids"],
        golden.inputs["text_atts"],
        shortlist=k,
    )
    close(found.i2t, golden.outputs["score_matrix_i2t"])
    close(found.t2i, golden.outputs["score_matrix_t2i"])
    for scores, official in ((found.i2t, "score_matrix_i2t"), (found.t2i, "score_matrix_t2i")):
        assert np.array_equal(
            scores.topk(k).indices.cpu(), torch.from_numpy(golden.outputs[official]).topk(k).indices
        )


@on("c_bbox")
def test_boxes_are_the_official_ones(golden, close):
    inputs = golden.inputs
    boxes = looking.ground(
        built(grounding_network, golden),
        inputs["image"][inputs["image_index"]],
        inputs["text_ids"],
        inputs["text_atts"],
    )
    close(boxes, golden.outputs["outputs_coord"])


@on("f_nlvr")
def test_logits_of_pairs_are_the_official_ones(golden, close):
    inputs = golden.inputs
    left, right = (inputs["image"][inputs[name]] for name in ("index0", "index1"))
    close(
        looking.judge(
            built(pair_network, golden), left, right, inputs["text_ids"], inputs["text_atts"]
        ),
        golden.outputs["logits"],
    )


@pytest.fixture
def question_inputs(golden):
    """The network of a VQA golden, the states and mask of its questions, and all answers."""
    network, inputs = built(answering_network, golden), golden.inputs
    ids, present = inputs["question_ids"], inputs["question_atts"]
    states = answering.consider(network, inputs["image"][inputs["image_index"]], ids, present)
    return network, states, present, answering.Answers(inputs["answer_ids"], inputs["answer_atts"])


@on("e_vqa")
def test_questions_and_first_tokens_are_the_official_ones(golden, question_inputs, close):
    network, states, present, answers = question_inputs
    close(states, golden.outputs["question_states"])
    start = answers.ids[:1, :1].expand(len(states), 1)
    words = bert.decode(
        network.text_decoder, start, torch.ones_like(start), seen=states, seen_present=present
    ).logits[:, 0]
    close(words, golden.outputs["start_logits"])


@on("e_vqa")
def test_answers_are_ranked_as_officially(golden, question_inputs, close):
    network, states, present, answers = question_inputs
    ranking = answering.rank_answer(network, states, present, answers, shortlist=len(answers.ids))
    assert np.array_equal(ranking.answers.cpu(), golden.outputs["topk_ids_all"])
    close(ranking.probabilities, golden.outputs["topk_probs_all"])
    if not any(golden.json("expected.json").get("boundary_cuts_tie", [True])):
        shortlisted = answering.rank_answer(
            network, states, present, answers, shortlist=int(golden.inputs["k_test"])
        )
        assert np.array_equal(shortlisted.answers.cpu(), golden.outputs["topk_ids"])
        close(shortlisted.probabilities, golden.outputs["topk_probs"])


@on("g_caption")
def test_every_beam_search_finds_the_official_tokens_and_scores(golden, close):
    network, expected = built(captioning_network, golden), golden.json("expected.json")
    end = Path(golden.path / "vocab.txt").read_text().splitlines().index("[SEP]")
    searches = {
        name: variant["arguments"]
        for name, variant in expected["variants"].items()
        if "num_beams" in variant["arguments"]
    }
    assert searches
    for name, arguments in searches.items():
        beams = Beams(
            width=arguments["num_beams"],
            max_length=arguments["max_length"],
            min_length=arguments["min_length"],
        )
        found = captioning.caption(
            network, golden.inputs["image"], prompt=expected["prompt_ids"], end=end, beams=beams
        )
        for row, hypothesis in enumerate(found):
            ended = [*hypothesis.tokens, end][: beams.max_length]
            official = golden.outputs[f"{name}_ids"][row].tolist()
            assert ended + [0] * (len(official) - len(ended)) == official, (name, row)
        close(
            torch.tensor([hypothesis.score for hypothesis in found]),
            golden.outputs[f"{name}_scores"],
        )


@on("g_caption")
def test_tokens_have_the_official_logits_decoded_at_once_or_one_by_one(golden, close):
    network, ids = built(captioning_network, golden), golden.inputs["text_ids"]
    decoder, vision = network.text_decoder, network.architecture.vision
    seen = swin.encode(network.vision_encoder, vision, golden.inputs["image"])
    there = torch.ones(seen.shape[:2], device=seen.device)
    close(
        bert.decode(decoder, ids, golden.inputs["text_atts"], seen=seen, seen_present=there).logits,
        golden.outputs["logits"],
    )
    past = None
    for low, high in pairwise([0, 4, 5, 6]):
        some, so_far = ids[:, low:high], torch.ones_like(ids[:, :high])
        decoded = bert.decode(decoder, some, so_far, seen=seen, seen_present=there, past=past)
        past = decoded.past
    close(decoded.logits[:, -1], golden.outputs["logits"][:, 5])
