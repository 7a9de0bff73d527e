"""Prepacking changes the speed of a model and nothing else."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from harness.engine.matmul import PrepackedLinear, onednn_is_usable, prepack
from harness.models.fusion import runtime
from harness.models.xvlm.architecture import VisionArchitecture
from harness.models.xvlm.swin import Block, VisionEncoder, WindowAttention
from tests.support.predicting import TUNED, alike, model_of, predicted, predicted_on_cpu


@pytest.mark.skipif(not onednn_is_usable(), reason="nothing is prepacked without oneDNN")
@pytest.mark.parametrize("name", TUNED)
def test_every_task_is_predicted_the_same_without_prepacking(name, monkeypatch):
    packed = predicted_on_cpu(name)
    monkeypatch.setattr(runtime, "prepack", lambda part, dtype, **_: None)
    network = model_of(name, "cpu", "float32")[1].network
    assert not any(isinstance(part, PrepackedLinear) for part in network.modules())
    assert any(isinstance(part, nn.GELU) for part in network.vision_encoder.modules())
    assert alike(predicted(name, device="cpu"), packed, within=1e-4) == 1


@pytest.mark.skipif(not onednn_is_usable(), reason="nothing is prepacked without oneDNN")
def test_the_layers_that_gradients_pass_through_are_not_prepacked():
    model = model_of("refcoco+-weak", "cpu", "float32")[1]
    layers = model.network.text_encoder.layers
    packed = [any(isinstance(part, PrepackedLinear) for part in x.modules()) for x in layers]
    assert model.layer == 3 and packed == [True, True, True, False]


def test_windows_with_one_mask_share_it_and_all_share_one_bias() -> None:
    vision = VisionArchitecture(resolution=128, window=4, width=8, depths=(2, 2), heads=(1, 2))
    encoder = VisionEncoder(vision).eval().requires_grad_(False)
    for block in encoder.modules():
        if isinstance(block, WindowAttention):
            nn.init.normal_(block.relative_position_bias_table)
    images = torch.randn(2, 3, 128, 128)
    expected = encoder(images)
    prepack(encoder, torch.float32)
    shifted = encoder.layers[0].blocks[1].attn
    # 8 x 8 windows: 49 without a mask, 7 at the right border, 7 at the lower one, one at both.
    assert sorted(run.stop - run.start for run in shifted.runs) == [1, 7, 7, 49]
    assert shifted.window_bias().shape == (1, 1, 16, 16) and shifted._masks.shape == (4, 16, 16)
    torch.testing.assert_close(encoder(images), expected, rtol=0, atol=1e-5)


def test_the_bias_made_of_rows_is_that_of_the_table() -> None:
    attention = WindowAttention(8, window=3, heads=2, mask=None)
    nn.init.normal_(attention.relative_position_bias_table)
    expected = attention.attention_bias()
    attention.prepack(torch.float32)
    assert torch.equal(attention.window_bias(), expected)


@pytest.mark.skipif(not onednn_is_usable(), reason="nothing is prepacked without oneDNN")
def test_a_map_tied_to_an_embedding_shares_its_weight_and_computes_many_rows_to_the_same_bits() -> (
    None
):
    network = nn.Module()
    network.words, network.decoder = nn.Embedding(500, 64), nn.Linear(64, 500)
    network.decoder.weight = network.words.weight
    packed, states = (
        nn.Sequential(deepcopy(network.decoder)).requires_grad_(False),
        torch.randn(64, 64),  # for fewer rows, older oneDNN reads a packed weight by another kernel
    )
    prepack(packed, torch.float32)
    prepack(network.requires_grad_(False), torch.float32, tied=[network.decoder])
    assert network.decoder._weight.data_ptr() == network.words.weight.data_ptr()
    assert torch.equal(network.decoder(states), packed(states))


@pytest.mark.parametrize(
    ("width", "side", "windows"),
    [
        pytest.param(32, 96, [32, 32], id="as many as fit into the caches"),
        pytest.param(512, 48, [4] * 4, id="576 tokens for each reading of the weights"),
    ],
)
def test_a_block_computes_on_so_many_windows_at_a_time(width, side, windows, monkeypatch) -> None:
    block = Block(width, side=side, window=12, heads=width // 32, shift=0).eval()
    attend, computed = block.attn.forward, []

    def attending(tokens, *arguments):
        computed.append(tokens.shape[1])
        return attend(tokens, *arguments)

    monkeypatch.setattr(block.attn, "forward", attending)
    with torch.inference_mode():
        block(torch.randn(1, side * side, width))
    assert computed == windows


def test_masked_windows_of_one_image_are_attended_as_those_of_several() -> None:
    block = Block(64, side=8, window=4, heads=2, shift=2).eval()
    nn.init.normal_(block.attn.relative_position_bias_table)
    tokens = torch.randn(3, 64, 64)
    with torch.inference_mode():
        alone = torch.cat([block(image[None].clone()) for image in tokens])
        together = block(tokens.clone())
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-5)
