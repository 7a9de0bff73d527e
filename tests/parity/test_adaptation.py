"""A checkpoint at another resolution or for another head, against `load_pretrained`."""

import pytest
import torch

from harness.models.weights import read_tensors
from harness.models.xvlm.key_names import without_bert, without_buffers
from harness.models.xvlm.swin import VisionEncoder
from tests.support.adaptation import (
    at_window,
    interpolate_table,
    names_for_captioning,
    names_for_nlvr,
    names_for_vqa,
)
from tests.support.golden import device_under_test
from tests.support.official_architecture import architecture_from_config

KIND = "i_adapt"
COMPUTED_BY_THE_MODEL = ("relative_position_index", "attn_mask")


@pytest.fixture
def tensors(case):
    return read_tensors(case.path / "checkpoint.th")


@pytest.fixture
def target(case):
    return architecture_from_config(case.config["target_config"])


def test_tables_are_interpolated_as_officially(case, close):
    for name in case.inputs:
        if name.startswith("table_"):
            window = int(name.rsplit("_", 1)[1])
            close(interpolate_table(case.inputs[name].cpu(), window), case.outputs[name])


def test_a_checkpoint_is_adapted_to_another_resolution_as_officially(case, tensors, target, close):
    adapted = at_window(
        {name: tensors[name] for name in without_buffers(tensors)}, target.vision.window
    )
    for name, expected in case.outputs.items():
        if name.startswith("vision_encoder."):
            close(adapted[name], expected)
    network = (
        VisionEncoder(target.vision).eval().requires_grad_(False).to(device_under_test().torch)
    )
    prefix = "vision_encoder."
    network.load_state_dict(
        {
            name.removeprefix(prefix): tensor
            for name, tensor in adapted.items()
            if name.startswith(prefix)
        }
    )
    close(network(case.inputs["image"]), case.outputs["image_embeds"])


@pytest.mark.parametrize("head", ["retrieval", "bbox", "vqa", "nlvr", "captioning"])
def test_names_are_mapped_as_officially(case, tensors, target, head):
    names = [name for name in tensors if not name.endswith(COMPUTED_BY_THE_MODEL)]
    text = target.text
    mapped = {
        "retrieval": lambda: {without_bert(name): name for name in names},
        "bbox": lambda: {without_bert(name): name for name in names},
        "vqa": lambda: names_for_vqa(
            names, fusion_layer=text.fusion_layer, same_width=text.encoder_width == text.width
        ),
        "nlvr": lambda: names_for_nlvr(names, fusion_layer=text.fusion_layer),
        "captioning": lambda: names_for_captioning(names),
    }[head]()
    official = case.json("mapping.json")[head]
    unexpected = set(official["unexpected_keys"])
    renamed = {new: old for new, old in mapped.items() if new != old and new not in unexpected}
    assert renamed == {
        new: old for new, old in official["mapped_keys_differing"].items() if new not in unexpected
    }
    assert not mapped.keys() & set(official["not_set_by_the_checkpoint"])
    assert all(torch.is_tensor(tensors[old]) for old in mapped.values())
