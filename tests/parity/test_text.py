"""The text encoder in all its modes, and the language model head, against the official ones.

Packed texts have no padding, so they are compared at their tokens; the modes with padding, which
attend by explicit masks, at every position.
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from harness.engine.chunks import CHUNK_SIZES
from harness.engine.packing import pack
from harness.engine.segments import MASKED
from harness.models.fusion.kv import CrossKV
from harness.models.fusion.language_model import LanguageModel
from harness.models.weights import read_tensors
from harness.models.xvlm.architecture import Hints, architecture_of
from harness.models.xvlm.key_names import without_buffers
from tests.support.golden import device_under_test
from tests.support.official_architecture import architecture_from_config

KIND = "h_text"
PREFIX = "text_encoder."


@pytest.fixture(scope="module")
def model(case):
    return language_model(case, architecture_from_config(case.config["config"]).text)


def language_model(case, sizes):
    """The official weights of as many layers as `sizes` has."""
    tensors = read_tensors(case.path / "checkpoint.th")
    network = LanguageModel(sizes)
    wanted = network.state_dict().keys()
    named = {name.removeprefix(PREFIX): tensors[name] for name in without_buffers(tensors)}
    network.load_state_dict({name: tensor for name, tensor in named.items() if name in wanted})
    return network.eval().requires_grad_(False).to(device_under_test().torch)


@pytest.fixture(params=[1, 10**6], ids=["a bucket for each length", "padded to one length"])
def texts(case, request):
    """All texts without their padding, each about its own image: token ids and pack."""
    sizes = replace(CHUNK_SIZES["cpu"], min_bucket=request.param)
    return packed_texts(case.inputs["text_ids"], case.inputs["text_atts"], sizes)


def packed_texts(ids, present, sizes=CHUNK_SIZES["cpu"]):
    tokens = [row[there > 0].tolist() for row, there in zip(ids, present, strict=True)]
    (packed,) = pack([len(text) for text in tokens], sizes, image_of=range(len(tokens)))
    device = device_under_test().torch
    return packed.ids_of(tokens).to(device), packed.to(device)


@pytest.fixture
def images(case, model):
    return model.bert.project_kv(case.inputs["image_embeds"], case.inputs["image_atts"].cpu())


def padded(states, texts, length):
    """States [N, d] of packed texts as [n, T, d], padded with 0."""
    rows = torch.zeros(len(texts.texts), length, states.shape[-1], device=states.device)
    rows[texts.per_token(texts.texts.cpu()), texts.position_ids] = states
    return rows


@pytest.fixture
def close_at_tokens(case, texts, close):
    """Compare the states of packed texts with a golden array at the tokens of its texts."""
    present = case.arrays["text_atts"][..., None]

    def check(states, expected):
        close(padded(states, texts[1], expected.shape[1]), expected * present)

    return check


def test_embeddings(case, model, texts, close_at_tokens):
    ids, packed = texts
    close_at_tokens(
        model.bert.embeddings(ids, packed.position_ids.to(ids.device)), case.outputs["embeddings"]
    )


def test_text_mode(case, model, texts, close_at_tokens):
    ids, packed = texts
    first, states = (
        model.bert.layers[0],
        model.bert.embeddings(ids, packed.position_ids.to(ids.device)),
    )
    states = first.feed_forward(first.self_attention(states, packed))
    close_at_tokens(states, case.outputs["text_layer0"])
    close_at_tokens(model.bert.encode_text(ids, packed), case.outputs["text"])


def test_fusion_mode(case, model, texts, images, close_at_tokens):
    ids, packed = texts
    bert, by_image = model.bert, packed.tokens.by_image
    fusion_input = bert.precompute_fusion_input(bert.encode_text(ids, packed), packed)
    first = bert.fusion_layers[0]
    states = first.feed_forward(first.cross_attention(fusion_input, by_image, images.layers[0]))
    close_at_tokens(states, case.outputs["fusion_first"])
    close_at_tokens(bert.fuse(fusion_input, packed, images), case.outputs["fusion"])


def test_multi_modal_mode(case, model, texts, images, close, close_at_tokens):
    ids, packed = texts
    close_at_tokens(model.bert.multi_modal(ids, packed, images), case.outputs["multi_modal"])
    cls = torch.empty(len(packed.texts), model.bert.embeddings.word_embeddings.embedding_dim)
    cls[packed.texts.cpu()] = model.bert.multi_modal_cls(ids, packed, images).cpu()
    close(cls, case.outputs["multi_modal"][:, 0])


def test_multi_modal_mode_without_masks(case, model, close):
    """All positions are tokens: of packed texts as well, every position is compared."""
    everything = torch.ones_like(case.inputs["text_atts"])
    ids, packed = packed_texts(case.inputs["text_ids"], everything)
    images = model.bert.project_kv(case.inputs["image_embeds"])
    expected = case.outputs["multi_modal_nomask"]
    states = model.bert.multi_modal(ids, packed, images)
    close(padded(states, packed, expected.shape[1]), expected)


def decode(case, model, images, *, causal):
    """Run all layers on all positions, padding included, which is masked."""
    visible = case.inputs["text_atts"][:, None, None].bool()
    if causal:
        length = visible.shape[-1]
        visible = visible & torch.ones(length, length, device=visible.device).tril().bool()
    mask = torch.where(visible, 0.0, MASKED)
    return model.bert.decode(case.inputs["text_ids"][:, None], images, mask=mask).states[:, 0]


def test_multi_modal_mode_by_masks(case, model, images, close):
    close(decode(case, model, images, causal=False), case.outputs["multi_modal"])


def test_causal_modes(case, model, images, close):
    close(decode(case, model, images, causal=True), case.outputs["causal"])
    sizes = architecture_from_config(case.config["config"]).text
    text_only = language_model(case, replace(sizes, layers=sizes.fusion_layer))
    close(decode(case, text_only, CrossKV(()), causal=True), case.outputs["text_causal"])


def test_masked_words(case, model, texts, images, close):
    ids, packed = texts
    states = model.bert.multi_modal(ids, packed, images)
    states = padded(states, packed, case.inputs["text_ids"].shape[1])
    at = case.inputs["masked_pos"][..., None].expand(-1, -1, states.shape[-1])
    logits = model.cls.predictions(states.gather(1, at))
    close(logits, case.outputs["mlm_logits"])
    labels = case.inputs["masked_ids"].flatten()
    close(
        F.cross_entropy(logits.flatten(0, 1), labels, ignore_index=-100), case.outputs["mlm_loss"]
    )


def test_sizes_read_from_the_tensors_are_those_of_the_configuration(case):
    expected = architecture_from_config(case.config["config"]).text
    hints = Hints(text_heads=expected.heads)
    assert architecture_of(read_tensors(case.path / "checkpoint.th"), hints).text == expected
