"""Loading a checkpoint at another resolution or for another head, against the official `load_pretrained`."""

import pytest
import torch

from harness.models.weights import read_tensors
from harness.models.xvlm.adaptation import (
    at_window,
    interpolate_table,
    names_for_captioning,
    names_for_grounding,
    names_for_nlvr,
    names_for_retrieval,
    names_for_vqa,
    without_buffers,
)
from harness.models.xvlm.architecture import architecture_from_config
from harness.models.xvlm.swin import VisionEncoder
from tests.support.golden import device_under_test

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


def test_a_checkpoint_is_taken_to_another_resolution_as_officially(case, tensors, target, close):
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
        "retrieval": lambda: names_for_retrieval(names),
        "bbox": lambda: names_for_grounding(names),
        "vqa": lambda: names_for_vqa(
            names, fusion_layer=text.fusion_layer, same_width=text.memory_width == text.width
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
