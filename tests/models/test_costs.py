"""The cost of X-VLM, against hand-computed numbers for the released base models.

GF are 1e9 operations, PF 1e15.
"""

import pytest

from harness.engine.beam_search import Beams
from harness.engine.chunks import CHUNK_SIZES
from harness.models.fusion import costs, decoding_costs, layer_costs
from harness.models.fusion.layer_costs import Demand
from harness.models.fusion.sizes import TextArchitecture
from harness.models.vit.architecture import VisionArchitecture as ViTArchitecture
from harness.models.xvlm.architecture import VisionArchitecture
from harness.workload import Workload

GF, PF = 1e9, 1e15
CHUNKS = CHUNK_SIZES["cpu"]


def bert(layers: int, fusion_layer: int, encoder_width: int) -> TextArchitecture:
    return TextArchitecture(
        vocabulary=30522,
        positions=512,
        width=768,
        heads=12,
        layers=layers,
        fusion_layer=fusion_layer,
        inner_width=3072,
        encoder_width=encoder_width,
    )


TEXT, PAIRS, DECODER = bert(12, 6, 1024), bert(18, 6, 1024), bert(6, 0, 768)


def swin(resolution: int) -> VisionArchitecture:
    return VisionArchitecture(
        resolution=resolution,
        window=resolution // 32,
        width=128,
        depths=(2, 2, 18, 2),
        heads=(4, 8, 16, 32),
    )


def test_an_image_of_albef_and_blip_costs_what_is_published_for_its_vision_transformer():
    """ViT-B/16 at 384 px: 55.5 GMACs in timm's table, and 86 M parameters."""
    vision = ViTArchitecture(
        resolution=384, patch=16, width=768, depth=12, heads=12, inner_width=3072
    )
    assert vision.tokens == 577
    assert vision.flops / GF == pytest.approx(2 * 55.5, abs=0.1)


def workload(samples, images, *, pairs=None, texts=0):
    return Workload(
        samples=samples,
        images=images,
        pairs=samples if pairs is None else pairs,
        pairs_at_most=0,
        texts=["a"] * texts,
    )


@pytest.mark.parametrize(
    ("resolution", "tokens", "encoded", "remembered"),
    [(384, 145, 94.2, 2.74), (480, 226, 151.8, 4.27)],
)
def test_an_image_costs_its_encoding_and_its_keys_and_values(
    resolution, tokens, encoded, remembered
):
    assert swin(resolution).tokens == tokens  # (R / 32)^2 and their mean
    assert swin(resolution).flops / GF == pytest.approx(encoded, abs=0.05)
    assert layer_costs.project_kv_flops(TEXT, tokens) / GF == pytest.approx(
        remembered, abs=0.005
    )  # 6 layers x 2 x 1024 x 768 x 2 a token


def test_a_token_costs_12_d2_in_a_text_layer_and_14_d2_in_a_fusion_layer():
    d2 = 2 * 768**2  # operations of a matrix of d x d on one token
    assert layer_costs.text_encoder_flops(TEXT, 1) == pytest.approx(6 * 12 * d2, rel=1e-3)
    assert layer_costs.fusion_flops(TEXT, 1, 0) == pytest.approx(6 * 14 * d2, rel=1e-3)
    assert layer_costs.fusion_input_flops(TEXT, 1) == pytest.approx(4 * d2, rel=1e-3)
    assert layer_costs.lm_head_flops(TEXT) / GF == pytest.approx(0.0481, abs=5e-5)


def test_cls_costs_alone_in_the_last_layer():
    # For each of 12 tokens: 10 d2 in the first layer, 14 d2 in four more, 2 d2 for keys and values
    # in the last; 12 d2 more for [CLS].
    assert layer_costs.fuse_cls_flops(TEXT, 12, 0) == pytest.approx(
        (12 * (10 + 4 * 14 + 2) + 12) * 2 * 768**2, rel=0.02
    )


@pytest.mark.parametrize(
    ("name", "images", "texts", "pairs", "length", "operations"),
    [("COCO 5K", 5000, 25010, 6_430_000, 11.8, 6.8), ("Flickr 1K", 1000, 5000, 640_000, 14, 0.84)],
)
def test_retrieval_costs_its_pairs(name, images, texts, pairs, length, operations):
    demand = workload(images, images, pairs=pairs, texts=texts)
    found = costs.retrieval(
        Demand(swin(384), TEXT, demand, length, CHUNKS), features=256, item_bytes=4
    )
    assert found.flops / PF == pytest.approx(operations, rel=0.03)


def test_the_gallery_of_coco_takes_three_gigabytes_and_its_texts_one():
    demand = workload(5000, 5000, pairs=6_430_000, texts=25010)
    whole, short = (
        costs.retrieval(
            Demand(swin(384), TEXT, demand, 12.8, CHUNKS), features=256, item_bytes=item_bytes
        ).resident_bytes
        / 1e9
        for item_bytes in (4, 2)
    )
    assert whole - short == pytest.approx(
        (2.97 + 0.98) / 2, rel=0.01
    )  # 5,000 x 145 x 1024 and 25,010 x 12.8 x 768 numbers
    assert whole < 5.0


def test_vqa_costs_its_answers_where_all_are_scored():
    # A question: 28 GF for its share of the images, 1.4 for fusion, 21 for 142 prefixes.
    found = decoding_costs.answering(
        Demand(swin(480), TEXT, workload(447_793, 81_434), 7.4, CHUNKS), DECODER, prefixes=142
    )
    assert found.flops / PF == pytest.approx(22.8, rel=0.03)


@pytest.mark.parametrize(("statements", "images"), [(6982, 8102), (6967, 8082)])
def test_nlvr2_costs_its_images(statements, images):
    found = costs.pair_reasoning(
        Demand(swin(384), PAIRS, workload(statements, images), 15.5, CHUNKS)
    )
    assert found.flops / PF == pytest.approx(0.81, rel=0.03)


@pytest.mark.parametrize(
    ("expressions", "images", "operations"),
    [(10758, 1500, 0.15), (5726, 750, 0.08), (4889, 750, 0.08)],
)
def test_refcoco_costs_its_images(expressions, images, operations):
    found = costs.grounding(Demand(swin(384), TEXT, workload(expressions, images), 5, CHUNKS))
    assert found.flops / PF == pytest.approx(operations, abs=0.005)


def test_a_map_costs_its_image_the_text_and_half_of_the_fusion_layers_once_more():
    # 198 d2 a token: 6 layers of 12 d2, 6 of 14 d2, and gradients through 3 of these; and 145 image
    # tokens in cross-attention, nine times.
    found = costs.localization(Demand(swin(384), TEXT, workload(10, 1), 10, CHUNKS), layer=9)
    assert found.flops / GF == pytest.approx(94.2 + 2.74 + 23.8, rel=0.005)


def test_captions_cost_at_most_a_tenth_more_than_their_images():
    found = decoding_costs.captioning(
        Demand(swin(384), TEXT, workload(5000, 5000), 0, CHUNKS),
        beams=Beams(width=3, max_length=20, min_length=5),
        prompt=4,
    )
    assert found.flops / PF == pytest.approx(0.52, rel=0.05)


def test_a_caption_costs_its_image_its_prompt_and_every_token_of_its_beams():
    # 3 beams of 15 tokens, 235 MF a token: 6 layers of 12 d2, 6 of 14 d2 with 145 image tokens, and
    # the vocabulary; 4 tokens of a prompt.
    found = decoding_costs.captioning(
        Demand(swin(384), TEXT, workload(1, 1), 0, CHUNKS),
        beams=Beams(width=3, max_length=20, min_length=5),
        prompt=4,
    )
    assert found.flops / GF == pytest.approx(94.2 + 2.74 + 10.6 + 0.8, rel=0.005)


def test_the_boxes_of_ovad_cost_their_encoding():
    found = costs.attribute_matching(
        Demand(swin(384), TEXT, workload(14_300, 14_300, pairs=0, texts=500), 8, CHUNKS),
        features=256,
    )
    assert found.flops / PF == pytest.approx(1.35, rel=0.01)


def test_the_memory_of_a_batch_grows_with_its_images_and_few_are_encoded_at_a_time():
    asked = [workload(5 * n, n) for n in (1, 2, 8)]
    one, two, eight = (
        costs.grounding(Demand(swin(384), TEXT, some, 5, CHUNK_SIZES["cpu"])).peak_batch_bytes
        for some in asked
    )
    assert eight - two == pytest.approx(6 * (two - one))
    each = (
        4 * (3 * 384**2 + 145 * 1024) + 2 * 6 * 2 * 145 * 768 * 4
    )  # pixels, tokens, and twice the keys and values of six layers;
    each += 5 * 5 * 4 * (6 * 768 + 2 * 3072)  # and five readers of five tokens
    assert two - one == pytest.approx(each, rel=0.01) and one - each == pytest.approx(
        85e6, rel=0.01
    )
    many = (workload(5 * n, n) for n in (64, 65))
    full, beyond = (
        costs.grounding(Demand(swin(384), TEXT, some, 5, CHUNK_SIZES["cuda"])).peak_batch_bytes
        for some in many
    )
    assert full > 64 * 85e6 and beyond - full == pytest.approx(each, rel=0.01)
