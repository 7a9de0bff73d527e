"""The text encoder in all its modes, and the output over words, against the official ones."""

import pytest
import torch.nn.functional as F

from harness.models.fusion.bert import causal_mask, memory_mask, padding_mask
from harness.models.fusion.language_model import LanguageModel
from harness.models.weights import read_tensors
from harness.models.xvlm.adaptation import without_buffers
from harness.models.xvlm.architecture import Hints, architecture_from_config, architecture_of
from tests.support.golden import device_under_test

KIND = "h_text"
PREFIX = "text_encoder."


@pytest.fixture
def model(case):
    tensors = read_tensors(case.path / "checkpoint.th")
    network = LanguageModel(architecture_from_config(case.config["config"]).text)
    network.load_state_dict(
        {name.removeprefix(PREFIX): tensors[name] for name in without_buffers(tensors)}
    )
    return network.eval().requires_grad_(False).to(device_under_test().torch)


@pytest.fixture
def texts(case):
    """Ids and presence as one reader per memory, [G, 1, T]."""
    return case.inputs["text_ids"][:, None], case.inputs["text_atts"][:, None]


@pytest.fixture
def seen(case, model):
    return {
        "memory": model.bert.remember(case.inputs["image_embeds"]),
        "memory_mask": memory_mask(case.inputs["image_atts"]),
    }


def test_embeddings(case, model, texts, close):
    close(model.bert.embeddings(texts[0])[:, 0], case.outputs["embeddings"])


def test_reading(case, model, texts, close):
    ids, present = texts
    first, states = model.bert.encoder.layer[0], model.bert.embeddings(ids)
    mask = padding_mask(present)
    close(
        first.think(first.attend(states, first.recall(states), mask))[:, 0],
        case.outputs["text_layer0"],
    )
    close(model.bert.read(ids, mask)[:, 0], case.outputs["text"])


def test_looking(case, model, texts, seen, close):
    ids, present = texts
    mask = padding_mask(present)
    read = model.bert.read(ids, mask)
    first = model.bert.encoder.layer[model.bert.fusion_layer]
    close(
        first.think(
            first.look(
                first.attend(read, first.recall(read), mask), seen["memory"][0], seen["memory_mask"]
            )
        )[:, 0],
        case.outputs["fusion_first"],
    )
    looked = model.bert.look(read, mask=mask, **seen)
    close(looked[:, 0], case.outputs["fusion"])
    close(looked[:, 0], case.outputs["multi_modal"])


def test_looking_with_nothing_hidden(case, model, texts, seen, close):
    close(
        model.bert.look(model.bert.read(texts[0]), seen["memory"])[:, 0],
        case.outputs["multi_modal_nomask"],
    )


def test_causal_reading_and_looking(case, model, texts, seen, close):
    ids, present = texts
    mask = causal_mask(present)
    read = model.bert.read(ids, mask)
    close(read[:, 0], case.outputs["text_causal"])
    close(model.bert.look(read, mask=mask, **seen)[:, 0], case.outputs["causal"])


def test_masked_words(case, model, texts, seen, close):
    ids, present = texts
    mask = padding_mask(present)
    states = model.bert.look(model.bert.read(ids, mask), mask=mask, **seen)[:, 0]
    at = case.inputs["masked_pos"][..., None].expand(-1, -1, states.shape[-1])
    logits = model.cls.predictions(states.gather(1, at))
    close(logits, case.outputs["mlm_logits"])
    loss = F.cross_entropy(
        logits.flatten(0, 1), case.inputs["masked_ids"].flatten(), ignore_index=-100
    )
    close(loss, case.outputs["mlm_loss"])


def test_sizes_read_from_the_tensors_are_those_of_the_configuration(case):
    expected = architecture_from_config(case.config["config"]).text
    assert (
        architecture_of(
            read_tensors(case.path / "checkpoint.th"), Hints(text_heads=expected.heads)
        ).text
        == expected
    )
