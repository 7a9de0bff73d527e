"""Prepacking changes the speed of a model and nothing else."""

import pytest
from torch import nn

from harness.engine.matmul import PrepackedLinear, onednn_is_usable
from harness.models.xvlm import runtime
from tests.support.predicting import TUNED, alike, model_of, predicted


@pytest.mark.skipif(not onednn_is_usable(), reason="nothing is prepacked without oneDNN")
@pytest.mark.parametrize("name", TUNED)
def test_every_task_is_predicted_the_same_without_prepacking(name, monkeypatch):
    packed = predicted(name, device="cpu")
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
