"""The base model at its real size, with weights from a formula, against the official one."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.engine.beam_search import Beams
from harness.engine.chunks import GRAINS
from harness.engine.matmul import settle
from harness.engine.packing import lay_out
from harness.engine.prefix_tree import AnswerTree
from harness.models.fusion.bert import padding_mask
from harness.models.xvlm.answerer import Questions, first_words, rank
from harness.models.xvlm.architecture import architecture_from_config
from harness.models.xvlm.captioner import write
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)
from tests.support.golden import device_under_test

KIND = "l_base"


def normal(seed: str, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(zlib.crc32(seed.encode()))).standard_normal(shape)


def weight(name: str, shape: tuple[int, ...], config: dict) -> torch.Tensor:
    """The formula of the golden's README."""
    gain, sharp, faint, bias = config["fill_scale"]
    z = normal(config["fill_prefix"] + name, *shape)
    if "relative_position_bias_table" in name:
        z *= 0.5
    elif len(shape) > 1:
        scale = (
            sharp
            if ".query." in name or ".key." in name
            else faint
            if "crossattention.output.dense" in name
            else gain
        )
        z *= scale / np.sqrt(np.prod(shape[1:]))
    elif name.endswith("weight"):
        z = 1 + 0.1 * z
    else:
        z *= bias
    return torch.from_numpy(z.astype(np.float32))


def image(number: int, side: int, prefix: str) -> np.ndarray:
    draws = np.random.Generator(
        np.random.PCG64(zlib.crc32(f"{prefix}image:{number}:{side}".encode()))
    )
    low, noise = draws.standard_normal((3, 8, 8)), draws.standard_normal((3, side, side))
    return (np.kron(low, np.ones((side // 8, side // 8))) + 0.3 * noise).astype(np.float32)


NETWORKS = {
    "retrieval": lambda sizes, config: RetrievalNetwork(
        fused(sizes), feature_width=config["embed_dim"]
    ),
    "bbox": lambda sizes, config: GroundingNetwork(fused(sizes)),
    "vqa": lambda sizes, config: AnsweringNetwork(
        fused(sizes), decoder_of(sizes.text, config["num_dec_layers"])
    ),
    "nlvr": lambda sizes, config: PairNetwork(fused(replace(sizes, text=doubled(sizes.text)))),
    "captioning": lambda sizes, config: CaptioningNetwork(
        decoding(replace(sizes, decoder=sizes.text))
    ),
}


def doubled(text):
    """The text encoder of NLVR2: every fusion layer twice, once for each image."""
    return replace(text, layers=text.fusion_layer + 2 * (text.layers - text.fusion_layer))


def decoder_of(text, layers):
    """The decoder of VQA: every layer looks, at the states of the question."""
    return replace(text, layers=layers, fusion_layer=0, memory_width=text.width)


@pytest.fixture(scope="module")
def built():
    """The network built last: five of them would not fit."""
    return {}


@pytest.fixture(scope="module")
def drawn():
    """The weights drawn so far: 200 M of them take seconds, and most heads have the same encoders."""
    return {}


@pytest.fixture
def network(case, built, drawn):
    """Build the network of a head, filled by the formula; a shared tensor takes the values of the name that the golden lists."""

    def build(head):
        if (case.path, head) not in built:
            built.clear()
            made = (
                NETWORKS[head](sized(case, head), case.config["config"])
                .eval()
                .requires_grad_(False)
            )
            official = case.json("params.json")[head]
            for name, parameter in made.named_parameters(remove_duplicate=False):
                listed = official[name]
                source = listed.removeprefix("same tensor as ") if isinstance(listed, str) else name
                key = (case.path, source, tuple(parameter.shape))
                if key not in drawn:
                    drawn[key] = weight(source, tuple(parameter.shape), case.config)
                parameter.data = drawn[key]
            built[case.path, head] = made.to(device_under_test().torch)
            settle(made, torch.float32)
        return built[case.path, head]

    return build


def images(case, side, count):
    for prefix in dict.fromkeys(("", case.config["fill_prefix"])):
        made = np.stack([image(number, side, prefix) for number in range(count)])
        expected = case.outputs[f"check_image_{side}"]
        if np.allclose(made[: len(expected), :, ::97, ::101], expected[:count], atol=1e-6):
            return torch.from_numpy(made).to(device_under_test().torch)
    raise AssertionError("the formula gives other images than the golden's")


def side_of(case, head):
    """The image side of a head: the configuration's, but for VQA the other one that the golden has images of."""
    found = [
        int(name.removeprefix("check_image_"))
        for name in case.outputs
        if name.startswith("check_image_")
    ]
    main = case.config["config"]["image_res"]
    return next((side for side in found if side != main), main) if head == "vqa" else main


def sized(case, head):
    """The sizes of a head: a window a side of 32 pixels of the image's, as in all released models."""
    sizes, side = architecture_from_config(case.config["config"]), side_of(case, head)
    return replace(sizes, vision=replace(sizes.vision, resolution=side, window=side // 32))


def texts(case, count):
    return case.inputs["text_ids"][:count, None], case.inputs["text_atts"][:count, None]


def test_parameters_have_the_official_names_and_shapes(case):
    for head, official in case.json("params.json").items():
        with torch.device("meta"):
            made = NETWORKS[head](sized(case, head), case.config["config"])
        found = {
            name: list(parameter.shape)
            for name, parameter in made.named_parameters(remove_duplicate=False)
        }
        assert found.keys() == official.keys() - {"temp"}, head
        for name, shape in official.items():
            assert name == "temp" or isinstance(shape, str) or found[name] == shape, (head, name)


def test_retrieval(case, network, close):
    found, side = network("retrieval"), side_of(case, "retrieval")
    tokens = found.vision_encoder(images(case, side, len(case.outputs["image_embeds"])))
    close(tokens[:, ::29, ::32], case.outputs["image_embeds"])
    ids, present = texts(case, None)
    states = found.text_encoder.read(ids, padding_mask(present))
    close(states[:, 0, :, ::32], case.outputs["text_embeds"])
    close(found.image_features(tokens), case.outputs["image_feat"])
    close(found.text_features(states[:, 0, 0]), case.outputs["text_feat"])
    close(
        found.image_features(tokens) @ found.text_features(states[:, 0, 0]).T, case.outputs["sims"]
    )
    (strip,) = lay_out(present[:, 0].sum(1).tolist(), replace(GRAINS["cpu"], tokens=10**4))
    strip = strip.on(tokens.device)
    laid = torch.cat(
        [states[text, 0, :length] for text, length in zip(strip.texts, strip.length, strict=True)]
    )
    close(
        found.text_encoder.read_along(
            torch.cat([row[:n] for row, n in zip(ids[strip.texts, 0], strip.length, strict=True)]),
            strip,
        ),
        laid.cpu().numpy(),
    )
    logits = torch.empty(len(tokens), len(ids), 2, device=tokens.device)
    for number in range(len(tokens)):
        memory = found.text_encoder.remember(tokens[number : number + 1])
        logits[number, strip.texts] = found.match(
            found.text_encoder.begin_along(laid, strip), strip, memory
        )
    close(logits, case.outputs["itm_logits"])


def test_boxes(case, network, close):
    found, side = network("bbox"), side_of(case, "bbox")
    expected = case.outputs["outputs_coord"]
    close(found(images(case, side, len(expected)), *texts(case, len(expected)))[:, 0], expected)


def test_pairs(case, network, close):
    found, side = network("nlvr"), side_of(case, "nlvr")
    memory = found.remember(found.vision_encoder(images(case, side, 3)))
    logits = found(
        memory, torch.tensor([[0, 1], [2, 0]], device=memory[0].keys.device), *texts(case, 2)
    )
    close(logits[:, 0], case.outputs["nlvr_logits"])


def test_answers(case, network, close):
    found, side, count = network("vqa"), side_of(case, "vqa"), len(case.outputs["vqa_start_logits"])
    ids, present = texts(case, count)
    states = found.question(images(case, side, count), ids, present)[:, 0]
    close(states[:, :, ::32], case.outputs["vqa_question_states"])
    questions, answers = (
        Questions(states, present[:, 0]),
        AnswerTree.of(
            [
                row[there > 0].tolist()
                for row, there in zip(
                    case.inputs["answer_ids"], case.inputs["answer_atts"], strict=True
                )
            ]
        ).to(states.device),
    )
    close(
        first_words(found.text_decoder, questions, answers).exp(),
        case.outputs["vqa_prob_first_token"],
    )
    for suffix in ("", "_all"):
        expected = case.outputs[f"vqa_topk_ids{suffix}"]
        ranking = rank(found.text_decoder, questions, answers, shortlist=expected.shape[1])
        assert np.array_equal(ranking.answers.cpu().numpy(), expected)
        close(ranking.probabilities, case.outputs[f"vqa_topk_probs{suffix}"])


def test_captions(case, network, close):
    found, side = network("captioning"), side_of(case, "captioning")
    prompt, end = [101, 1037, 3861, 1997], 102
    pictures = images(case, side, len(case.outputs["caption_step_logits"]))
    bert = found.text_decoder.bert
    written = bert.write(
        torch.tensor(prompt, device=pictures.device).expand(len(pictures), 1, -1),
        bert.remember(found.vision_encoder(pictures)),
    )
    logits = found.text_decoder.cls.predictions(written.states[:, 0, -1])
    close(logits[:, ::61], case.outputs["caption_step_logits"])
    best = logits.topk(case.outputs["caption_top10"].shape[1])
    assert np.array_equal(best.indices.cpu().numpy(), case.outputs["caption_top10"])
    close(best.values, case.outputs["caption_top10_logits"])
    ids = case.outputs["caption_beam_ids"]
    hypotheses = write(
        found,
        pictures,
        prompt=prompt,
        end=end,
        beams=Beams(width=3, longest=ids.shape[1], shortest=5),
    )
    for hypothesis, official in zip(hypotheses, ids.tolist(), strict=True):
        ended = [*hypothesis.tokens, end][: len(official)]
        assert ended + [0] * (len(official) - len(ended)) == official
    close(
        torch.tensor([hypothesis.score for hypothesis in hypotheses]),
        case.outputs["caption_beam_scores"],
    )
