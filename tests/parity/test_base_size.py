"""The base model at its real size, with weights from a formula, against the official one.

Every head is compared prepacked, as it runs.
"""

import numpy as np
import pytest
import torch

from harness.engine.answer_ranking import rank_answers
from harness.engine.beam_search import Beams
from harness.engine.matmul import prepack
from harness.engine.packing import pack
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.answer_decoder import start_decoder
from harness.models.fusion.captioning import generate_captions
from harness.models.fusion.fused_texts import fused_cls, fused_tokens
from harness.models.fusion.runtime import ENCODERS
from tests.support.base_size import (
    NETWORKS,
    images,
    side_of,
    sized,
    token_ids,
    weight,
    without_drawing,
)
from tests.support.golden import device_under_test

KIND = "l_base"


@pytest.fixture(scope="module")
def built():
    """The network built last: five of them do not fit into memory."""
    return {}


@pytest.fixture(scope="module")
def drawn():
    """The weights drawn so far: 200 M take seconds, and most heads share their encoders."""
    return {}


@pytest.fixture(scope="module")
def prepacked():
    """The encoders of retrieval, for the heads that share every tensor of one."""
    return {}


@pytest.fixture
def network(case, built, drawn, prepacked):
    """Build the network of a head by the formula; a shared tensor has the golden's listed name."""

    def build(head):
        if (case.path, head) not in built:
            built.clear()
            with without_drawing():
                made = NETWORKS[head](sized(case, head), case.config["config"])
            made.eval().requires_grad_(False)
            official = case.json("params.json")[head]
            for name, parameter in made.named_parameters(remove_duplicate=False):
                listed = official[name]
                source = listed.removeprefix("same tensor as ") if isinstance(listed, str) else name
                key = (case.path, source, tuple(parameter.shape))
                if key not in drawn:
                    drawn[key] = weight(source, tuple(parameter.shape), case.config)
                parameter.data = drawn[key]
            for name, part in list(made.named_children()):
                if name in ENCODERS:
                    tensors = tuple(parameter.data_ptr() for parameter in part.parameters())
                    key = (case.path, side_of(case, head), tensors)
                    if key not in prepacked:
                        prepack(part.to(device_under_test().torch), torch.float32)
                    if head == "retrieval":
                        prepacked[key] = part
                    setattr(made, name, prepacked.get(key, part))
            built[case.path, head] = made.to(device_under_test().torch)
        return built[case.path, head]

    return build


@pytest.fixture(scope="module")
def encoded():
    """The vision tokens by image side: all heads but VQA's have the same encoder."""
    return {}


def vision_tokens(case, model, side, count, encoded):
    """Encode three images once for the heads whose encoders share every tensor, or `count`."""
    key = (case.path, side)
    if len(encoded.get(key, ())) < count:
        encoded[key] = model.vision_encoder(images(case, side, max(3, count)))
    return encoded[key][:count]


def test_parameters_have_the_official_names_and_shapes(case):
    for head, official in case.json("params.json").items():
        with without_drawing():
            made = NETWORKS[head](sized(case, head), case.config["config"])
        found = {
            name: list(parameter.shape)
            for name, parameter in made.named_parameters(remove_duplicate=False)
        }
        assert found.keys() == official.keys() - {"temp"}, head
        for name, shape in official.items():
            assert name == "temp" or isinstance(shape, str) or found[name] == shape, (head, name)


def test_retrieval(case, network, close, encoded):
    model, side = network("retrieval"), side_of(case, "retrieval")
    device, encoder = device_under_test(), model.text_encoder
    tokens = vision_tokens(case, model, side, len(case.outputs["image_embeds"]), encoded)
    close(tokens[:, ::29, ::32], case.outputs["image_embeds"])
    close(model.image_features(tokens), case.outputs["image_feat"])
    texts = token_ids(case)
    encoded = model.encode_texts(texts, device)
    close(encoded.features, case.outputs["text_feat"])
    close(model.image_features(tokens) @ encoded.features.T, case.outputs["sims"])
    for packed in pack([len(text) for text in texts], device.chunk_sizes):
        ids = device.send(packed.ids_of(texts))
        states = encoder.encode_text(ids, packed.to(device.torch))
        for text, first, length in zip(packed.texts, packed.first, packed.lengths, strict=True):
            expected = case.outputs["text_embeds"][int(text), : int(length)]
            close(states[int(first) : int(first + length), ::32], expected)
    logits = torch.empty(len(tokens), len(texts), 2, device=tokens.device)
    for number in range(len(tokens)):
        kv = encoder.project_kv(tokens[number : number + 1])
        for part in encoded.packs(torch.arange(len(texts))):
            logits[number, part.texts.texts] = model.match(part.fusion_input, part.texts, kv)
    close(logits, case.outputs["itm_logits"])


def test_boxes(case, network, close, encoded):
    model, side, expected = network("bbox"), side_of(case, "bbox"), case.outputs["outputs_coord"]
    encoder, count = model.text_encoder, len(expected)
    kv = encoder.project_kv(vision_tokens(case, model, side, count, encoded))
    cls = fused_cls(
        encoder, token_ids(case, count), kv.of_images, range(count), device_under_test()
    )
    close(model.boxes(cls), expected)


def test_pairs(case, network, close, encoded):
    model, side, device = network("nlvr"), side_of(case, "nlvr"), device_under_test()
    pairs = torch.tensor([[0, 1], [2, 0]])
    kv = model.project_kv(vision_tokens(case, model, side, 3, encoded), pairs)
    cls = fused_cls(
        model.text_encoder,
        token_ids(case, 2),
        kv.of_pairs,
        range(2),
        device,
    )
    close(model.logits(cls), case.outputs["nlvr_logits"])


def test_answers(case, network, close):
    model, side = network("vqa"), side_of(case, "vqa")
    encoder, decoder = model.text_encoder, model.text_decoder
    count = len(case.outputs["vqa_start_logits"])
    kv = encoder.project_kv(model.vision_encoder(images(case, side, count)))
    questions = fused_tokens(
        encoder, token_ids(case, count), kv.of_images, range(count), device_under_test()
    )
    present = questions.present[..., None].numpy()
    official = case.outputs["vqa_question_states"][:, : questions.states.shape[1]]
    close(questions.states[:, :, ::32], official * present)
    rows = zip(case.inputs["answer_ids"], case.inputs["answer_atts"], strict=True)
    answers = AnswerTree.of([ids[there > 0].tolist() for ids, there in rows])
    answers = answers.to(device_under_test().torch)
    start = start_decoder(decoder, questions, answers)
    close(start.first.exp(), case.outputs["vqa_prob_first_token"])
    for suffix in ("", "_all"):
        expected = case.outputs[f"vqa_topk_ids{suffix}"]
        ranking = rank_answers(start, answers, shortlist=expected.shape[1])
        assert np.array_equal(ranking.answers.cpu().numpy(), expected)
        close(ranking.probabilities, case.outputs[f"vqa_topk_probs{suffix}"])


def test_captions(case, network, close, encoded):
    model, side = network("captioning"), side_of(case, "captioning")
    prompt, end = [101, 1037, 3861, 1997], 102
    count = len(case.outputs["caption_step_logits"])
    decoder, tokens = model.text_decoder, vision_tokens(case, model, side, count, encoded)
    ids = torch.tensor(prompt, device=tokens.device).expand(count, 1, -1)
    state = decoder.bert.decode(ids, decoder.bert.project_kv(tokens))
    logits = decoder.cls.predictions(state.states[:, 0, -1])
    close(logits[:, ::61], case.outputs["caption_step_logits"])
    best = logits.topk(case.outputs["caption_top10"].shape[1])
    assert np.array_equal(best.indices.cpu().numpy(), case.outputs["caption_top10"])
    close(best.values, case.outputs["caption_top10_logits"])
    official = case.outputs["caption_beam_ids"]
    beams = Beams(width=3, max_length=official.shape[1], min_length=5)
    hypotheses = generate_captions(decoder, tokens, prompt=prompt, end=end, beams=beams)
    for hypothesis, row in zip(hypotheses, official.tolist(), strict=True):
        ended = [*hypothesis.tokens, end][: len(row)]
        assert ended + [0] * (len(row) - len(ended)) == row
    scores = torch.tensor([hypothesis.score for hypothesis in hypotheses])
    close(scores, case.outputs["caption_beam_scores"])
