"""16-bit types: every task runs in them and predicts nearly the same."""

import pytest
import torch
from torch import nn

from harness.engine.matmul import PrepackedLinear, onednn_is_usable
from harness.engine.shortlist import cosine_similarity
from harness.models.xvlm.heads import apply_head, mlp
from tests.support.predicting import TUNED, alike, least, model_of, predicted, predicted_on_cpu


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", TUNED)
def test_every_task_is_predicted_in_16_bits(name, dtype):
    """How far the numbers move is measured by `xvlm-eval bench`."""
    found, expected = predicted(name, device="cpu", dtype=dtype), predicted_on_cpu(name)
    assert alike(found, expected, within=0.05) >= least(name, dtype)
    first = dict.fromkeys(expected, next(iter(expected.values())))
    assert len({str(prediction) for prediction in expected.values()}) > 1
    assert first != expected  # the predictions could have changed


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_heads_and_cosines_are_computed_in_float32_in_every_type(dtype):
    rng = torch.Generator().manual_seed(0)
    states, others = torch.randn(5, 64, generator=rng), torch.randn(7, 64, generator=rng)
    head = mlp(64, 3).requires_grad_(False)
    expected = head(states), states @ others.T
    with torch.autocast("cpu", dtype):
        assert head(states).dtype is torch.float32 and not torch.equal(head(states), expected[0])
        assert torch.equal(apply_head(head, states), expected[0])
        assert torch.equal(cosine_similarity(states, others), expected[1])


def encoder_layers(dtype):
    """The linear maps of a loaded model's encoders. Those of its head stay in float32."""
    network = model_of("refcoco+", "cpu", dtype)[1].network
    head = [part for part in network.bbox_head if isinstance(part, nn.Linear)]
    assert head and all(part.weight.dtype is torch.float32 for part in head)
    parts = [*network.vision_encoder.modules(), *network.text_encoder.modules()]
    return [part for part in parts if isinstance(part, nn.Linear | PrepackedLinear)]


def test_a_loaded_model_is_prepacked():
    layers = encoder_layers("float32")
    assert layers
    assert all(isinstance(part, PrepackedLinear) == onednn_is_usable() for part in layers)
    assert all(part.weight.dtype is torch.bfloat16 for part in encoder_layers("bfloat16"))
