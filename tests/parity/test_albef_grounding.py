"""ALBEF's Grad-CAM maps and the detections they choose: X-VLM's tests on ALBEF's golden."""

from dataclasses import replace

import pytest
import torch

from harness.models.albef.adapters import GRADCAM_FUSION_LAYER, AlbefLocalizer
from harness.models.albef.networks import official_names
from harness.models.fusion.gradcam import released_layer
from harness.models.vit.checkpoint import read_checkpoint
from tests.parity.test_weak_grounding import (  # noqa: F401
    layer,
    maps,
    test_a_layer_without_cross_attention_is_refused,
    test_boxes_and_accuracies_are_the_official_ones,
    test_maps_are_the_official_ones,
)
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "albef_grounding"


@pytest.fixture
def localizer(case, monkeypatch, layer):  # noqa: F811
    """The adapter, at the golden's layer instead of the released one."""
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    fusion_layer = checkpoint.architecture.text.fusion_layer
    monkeypatch.setattr("harness.models.albef.adapters.GRADCAM_FUSION_LAYER", layer - fusion_layer)
    localizer = AlbefLocalizer(checkpoint, case.path / "vocab.txt", device_under_test())
    localizer.rule = rule_of(case, localizer.rule)
    return localizer


@pytest.fixture
def network(localizer):
    return localizer.network


@pytest.fixture
def tokens(case, localizer):
    with torch.no_grad():
        return localizer.runtime.encode_images(case.inputs["image"])


def test_expressions_become_the_official_tokens(case, localizer):
    rows = zip(case.arrays["text_ids"], case.arrays["text_atts"], strict=True)
    official = [ids[present > 0].tolist() for ids, present in rows]
    assert localizer.token_ids(case.json("texts.json")["raw"]) == official


def test_the_layer_of_the_released_model_is_the_third_with_cross_attention(network):
    base = replace(network.text, layers=12, fusion_layer=6)
    assert released_layer(base, fusion_layer=GRADCAM_FUSION_LAYER) == 8
