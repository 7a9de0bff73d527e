"""The vision encoder, stage by stage, against the official one."""

import pytest
import torch

from harness.engine import fused
from harness.engine.kernels import fused_kernels
from harness.engine.matmul import prepack
from harness.models.weights import read_tensors
from harness.models.xvlm import swin
from harness.models.xvlm.architecture import architecture_of
from harness.models.xvlm.key_names import without_buffers
from harness.models.xvlm.swin import VisionEncoder
from tests.support.golden import device_under_test
from tests.support.kernel_trials import needs_kernels
from tests.support.official_architecture import architecture_from_config
from tests.support.region_tokens import region_tokens

KIND = "a_swin"
PREFIX = "vision_encoder."


def encoder(case):
    tensors = read_tensors(case.path / "checkpoint.th")
    network = VisionEncoder(architecture_from_config(case.config["config"]).vision)
    network.load_state_dict(
        {name.removeprefix(PREFIX): tensors[name] for name in without_buffers(tensors)}
    )
    return network.eval().requires_grad_(False).to(device_under_test().torch)


def test_every_stage_is_the_official_one(case, close):
    network = encoder(case)
    tokens = network.patch_embed(case.inputs["image"])
    close(tokens, case.outputs["patch_embed"])
    for number, stage in enumerate(network.layers):
        tokens = stage(tokens)
        close(tokens, case.outputs[f"stage{number}"])


def test_a_prepacked_encoder_gives_the_same(case, close):
    network, packed = encoder(case), encoder(case)
    prepack(packed, torch.float32)
    for _ in range(2):
        close(packed(case.inputs["image"]), network(case.inputs["image"]).cpu().numpy())


def test_residuals_stay_in_float32_where_products_are_in_16_bits(case):
    network, passing = encoder(case), []
    for part in network.modules():
        if isinstance(part, swin.Block):
            part.register_forward_hook(
                lambda _, args, result: passing.append((args[0].dtype, result.dtype))
            )
    with torch.autocast(device_under_test().torch.type, torch.bfloat16):
        tokens = network.patch_embed(case.inputs["image"])
        assert network.layers[0].blocks[0].attn.qkv(tokens).dtype is torch.bfloat16
        network(case.inputs["image"])
    assert passing and set(passing) == {(torch.float32, torch.float32)}


def test_some_windows_at_a_time_give_the_bits_of_all_at_once(case, monkeypatch):
    network = encoder(case)
    prepack(network, torch.float32)
    together = network(case.inputs["image"])
    monkeypatch.setattr(swin, "VALUES_IN_CACHE", 1)
    assert torch.equal(network(case.inputs["image"]), together)


def test_image_tokens_are_the_official_ones(case, close):
    close(encoder(case)(case.inputs["image"]), case.outputs["image_embeds"])


def test_region_tokens_are_the_official_ones(case, close):
    tokens = encoder(case)(case.inputs["image"])
    image_of, inside = case.inputs["idx_to_group_img"], case.inputs["region_image_atts"][:, 1:]
    close(region_tokens(tokens, image_of=image_of, inside=inside), case.outputs["region_embeds"])
    close(tokens[image_of], case.outputs["region_fullatts"])


def test_computed_buffers_are_those_of_the_file(case):
    tensors = read_tensors(case.path / "checkpoint.th")
    computed = {  # the official block, not its attention, has the mask
        PREFIX + name.replace(".attn.attn_mask", ".attn_mask"): buffer
        for name, buffer in encoder(case).named_buffers(remove_duplicate=False)
    }
    stored = {name: tensors[name] for name in tensors.keys() - set(without_buffers(tensors))}
    assert computed.keys() >= stored.keys()
    assert all(torch.equal(computed[name].cpu(), stored[name]) for name in stored)


def test_sizes_read_from_the_tensors_are_those_of_the_configuration(case):
    expected = architecture_from_config(case.config["config"]).vision
    assert architecture_of(read_tensors(case.path / "checkpoint.th")).vision == expected


@needs_kernels
@pytest.mark.parametrize("attention", [False, True], ids=["rows", "rows and attention"])
def test_fused_kernels_give_the_official_tokens(case, close, monkeypatch, attention):
    if attention:  # in full precision, in which no run uses this kernel
        monkeypatch.setattr(fused, "uses_attention_kernels", lambda states, *, width: True)
    network = encoder(case)
    with fused_kernels(True):
        close(network(case.inputs["image"]), case.outputs["image_embeds"])


def test_an_index_that_is_first_made_in_inference_mode_serves_a_model_that_is_trained():
    swin.relative_position_index.cache_clear()
    with torch.inference_mode():
        index = swin.relative_position_index(3)
    assert swin.relative_position_index(3) is index and not index.is_inference()
