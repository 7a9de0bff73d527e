"""The literal algorithm of `xvlm-eval bench` against the same goldens as the engine."""

from itertools import pairwise

import pytest
import torch

from harness.bench.literal import answering, bert, captioning, fusion_heads, retrieval, swin
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
from tests.support.golden import Case, device_under_test, golden_params
from tests.support.official_architecture import architecture_from_config
from tests.support.shortlists import cut_within_ties, ranked_alike, scores_of_ranked


def on(kind: str):
    """Run a test on every golden of a kind.

    The parameter is `golden`, not `case`: this module tests several kinds.
    """
    return pytest.mark.parametrize("golden", golden_params(kind))


def load(load_network, golden: Case):
    """Load a network from a golden's checkpoint."""
    checkpoint = read_checkpoint(golden.path / "checkpoint.th", golden.path / "config.json")
    return load_network(checkpoint).to(device_under_test().torch)


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
    network = load(retrieval_network, golden)
    images = retrieval.encode_images(network, golden.inputs["image"])
    texts = retrieval.encode_texts(network, golden.inputs["text_ids"], golden.inputs["text_atts"])
    for name, tensor in {
        "image_embeds": images.tokens,
        "text_embeds": texts.states,
        "image_feat": images.features,
        "text_feat": texts.features,
        "sims": images.features @ texts.features.T,
    }.items():
        if name in golden.outputs:
            close(tensor, golden.outputs[name])
    candidates = torch.arange(len(texts.states))
    logits = [retrieval.rerank(network, tokens, texts, candidates) for tokens in images.tokens]
    close(torch.stack(logits), golden.outputs["itm_logits"])


@on("b_retrieval")
def test_both_matrices_are_the_official_ones(golden, close):
    network, k = load(retrieval_network, golden), golden.config["config"]["k_test"]
    scores = retrieval.evaluate(
        network,
        golden.inputs["image"],
        golden.inputs["text_ids"],
        golden.inputs["text_atts"],
        shortlist=k,
    )
    for matrix, name in ((scores.i2t, "score_matrix_i2t"), (scores.t2i, "score_matrix_t2i")):
        official = golden.outputs[name]
        close(matrix, official)
        listed = min(k, official.shape[1])
        ranked, expected = (
            scores.cpu().topk(listed).indices.numpy()
            for scores in (matrix, torch.from_numpy(official))
        )
        assert ranked_alike(ranked, expected, official)


@on("c_bbox")
def test_boxes_are_the_official_ones(golden, close):
    inputs = golden.inputs
    boxes = fusion_heads.ground(
        load(grounding_network, golden),
        inputs["image"][inputs["image_index"]],
        inputs["text_ids"],
        inputs["text_atts"],
    )
    close(boxes, golden.outputs["outputs_coord"])


@on("f_nlvr")
def test_logits_of_pairs_are_the_official_ones(golden, close):
    inputs = golden.inputs
    left, right = (inputs["image"][inputs[name]] for name in ("index0", "index1"))
    network = load(pair_network, golden)
    logits = fusion_heads.judge(network, left, right, inputs["text_ids"], inputs["text_atts"])
    close(logits, golden.outputs["logits"])


@pytest.fixture
def vqa(golden):
    """Return a VQA golden's network, question states [Q, T, d], their mask, and all answers."""
    network, inputs = load(answering_network, golden), golden.inputs
    ids, mask = inputs["question_ids"], inputs["question_atts"]
    images = inputs["image"][inputs["image_index"]]
    states = answering.encode_questions(network, images, ids, mask)
    return network, states, mask, answering.Answers(inputs["answer_ids"], inputs["answer_atts"])


@on("e_vqa")
def test_questions_and_first_tokens_are_the_official_ones(golden, vqa, close):
    network, states, mask, answers = vqa
    close(states, golden.outputs["question_states"])
    start = answers.ids[:1, :1].expand(len(states), 1)
    decoded = bert.decode(
        network.text_decoder,
        start,
        torch.ones_like(start),
        encoder_states=states,
        encoder_mask=mask,
    )
    close(decoded.logits[:, 0], golden.outputs["start_logits"])


@on("e_vqa")
def test_answers_are_ranked_as_officially(golden, vqa, close):
    network, states, mask, answers = vqa
    ranking = answering.rank_answers(network, states, mask, answers, shortlist=len(answers.ids))
    official, probabilities = golden.outputs["topk_ids_all"], golden.outputs["topk_probs_all"]
    by_answer = scores_of_ranked(official, probabilities)
    assert ranked_alike(ranking.answers.cpu().numpy(), official, by_answer)
    close(ranking.probabilities, probabilities)
    k = int(golden.inputs["k_test"])
    if not cut_within_ties(golden.outputs["prob_first_token"], k).any():
        shortlisted = answering.rank_answers(network, states, mask, answers, shortlist=k)
        found = shortlisted.answers.cpu().numpy()
        assert ranked_alike(found, golden.outputs["topk_ids"], by_answer)
        close(shortlisted.probabilities, golden.outputs["topk_probs"])


@on("g_caption")
def test_every_beam_search_finds_the_official_tokens_and_scores(golden, close):
    network, expected = load(captioning_network, golden), golden.json("expected.json")
    end = (golden.path / "vocab.txt").read_text(encoding="utf-8").split("\n").index("[SEP]")
    padding = golden.config["config"].get("pad_token_id", 0)
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
        captions = captioning.caption(
            network, golden.inputs["image"], prompt=expected["prompt_ids"], end=end, beams=beams
        )
        for row, hypothesis in enumerate(captions):
            ended = [*hypothesis.tokens, end][: beams.max_length]
            official = golden.outputs[f"{name}_ids"][row].tolist()
            assert ended + [padding] * (len(official) - len(ended)) == official, (name, row)
        close(
            torch.tensor([hypothesis.score for hypothesis in captions]),
            golden.outputs[f"{name}_scores"],
        )


@on("g_caption")
def test_tokens_have_the_official_logits_whether_decoded_at_once_or_in_steps(golden, close):
    network = load(captioning_network, golden)
    length = int(golden.arrays["text_atts"].sum(1).min())  # without padding in any text
    ids, present = (golden.inputs[name] for name in ("text_ids", "text_atts"))
    decoder, vision = network.text_decoder, network.architecture.vision
    images = swin.encode(network.vision_encoder, vision, golden.inputs["image"])
    encoder = {
        "encoder_states": images,
        "encoder_mask": torch.ones(images.shape[:2], device=images.device),
    }
    decoded = bert.decode(decoder, ids, present, **encoder)
    close(decoded.logits, golden.outputs["logits"])
    past = None
    for start, stop in pairwise([0, length - 2, length - 1, length]):
        mask = torch.ones_like(ids[:, :stop])
        decoded = bert.decode(decoder, ids[:, start:stop], mask, **encoder, past=past)
        past = decoded.past
    close(decoded.logits[:, -1], golden.outputs["logits"][:, length - 1])
