"""ALBEF's Grad-CAM maps and the detections they choose: X-VLM's tests on ALBEF's golden."""

from dataclasses import replace

import pytest
import torch

from harness.metrics.grounding import Box
from harness.metrics.weak_grounding import best_detection, box_scores, carried_forward
from harness.models.albef.adapters import GRADCAM_BLOCK, AlbefCosineLocalizer, AlbefLocalizer
from harness.models.albef.networks import official_names
from harness.models.fusion.gradcam import released_layer
from harness.models.fusion.settings import Settings
from harness.models.vit.checkpoint import read_checkpoint
from harness.models.weights import read_tensors
from tests.parity.test_weak_grounding import (  # noqa: F401
    layer,
    maps,
    samples,
    test_a_layer_without_cross_attention_is_refused,
    test_boxes_and_accuracies_are_the_official_ones,
    test_maps_are_the_official_ones,
)
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "albef_grounding"


@pytest.fixture(scope="module")
def localizer(case, layer):  # noqa: F811
    """The adapter, at the golden's layer instead of the released one."""
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    settings = Settings(block=layer)
    localizer = AlbefLocalizer(checkpoint, case.path / "vocab.txt", device_under_test(), settings)
    localizer.rule = rule_of(case, localizer.rule)
    return localizer


@pytest.fixture(scope="module")
def network(localizer):
    return localizer.network


@pytest.fixture(scope="module")
def tokens(case, localizer):
    with torch.no_grad():
        return localizer.runtime.encode_images(case.inputs["image"])


def test_expressions_become_the_official_tokens(case, localizer):
    rows = zip(case.arrays["text_ids"], case.arrays["text_atts"], strict=True)
    official = [ids[present > 0].tolist() for ids, present in rows]
    assert localizer.token_ids(case.json("texts.json")["raw"]) == official


def test_maps_of_the_cosine_are_the_official_ones(case, close):
    """The official cosine is divided by a temperature, which scales all maps alike."""
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    settings = Settings(block=case.config["config"]["itc_block_num"])
    localizer = AlbefCosineLocalizer(
        checkpoint, case.path / "vocab.txt", device_under_test(), settings
    )
    texts, official = case.json("texts.json")["raw"], case.outputs["gradcam_itc"]
    found = localizer.maps(case.inputs["image"], texts, case.arrays["image_index"]).cpu().numpy()
    temperature = read_tensors(case.path / "checkpoint.th")["temp"].item()
    close(found / temperature, official)
    close(found / found.max(), official / official.max())
    best = carried_forward(
        best_detection(
            box_scores(
                attention, [Box(*det) for det in dets], width=image["width"], height=image["height"]
            ),
            [Box(*det) for det in dets],
        )
        for attention, (_, _, dets, image) in zip(found, samples(case), strict=True)
    )
    assert [list(box) for box in best] == case.json("expected.json")["chosen_boxes_itc"]


def test_the_block_of_the_released_model_is_the_ninth_of_either_encoder():
    assert GRADCAM_BLOCK == 8


def test_the_layer_of_the_released_model_is_the_third_with_cross_attention(network):
    base = replace(network.text, layers=12, fusion_layer=6)
    assert released_layer(base, fusion_layer=AlbefLocalizer.fusion_layer) == 8
