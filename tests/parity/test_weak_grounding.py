"""Weakly supervised grounding from image and text to map and box, against the official code."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.engine.chunks import CHUNK_SIZES
from harness.engine.packing import pack
from harness.metrics.grounding import THRESHOLD, Box, iou_of_detection
from harness.metrics.weak_grounding import best_detection, box_scores, carried_forward
from harness.models.fusion.gradcam import attention_weights, gradcam_maps, released_layer
from harness.models.xvlm.adapters import XVLMLocalizer
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.networks import retrieval_network
from tests.support.golden import device_under_test

KIND = "d_weak_grounding"


@pytest.fixture(scope="module")
def network(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return retrieval_network(checkpoint).to(device_under_test().torch)


@pytest.fixture(scope="module")
def layer(case):
    return case.config["config"]["block_num"]


def batches(case):
    """The rows of each official batch, and their texts as token ids."""
    size, present = int(case.inputs["batch_size"]), case.inputs["text_atts"]
    for rows in np.split(np.arange(len(present)), range(size, len(present), size)):
        pairs = zip(case.inputs["text_ids"][rows], present[rows], strict=True)
        yield rows, [ids[there > 0].tolist() for ids, there in pairs]


@pytest.fixture(scope="module")
def tokens(case, network):
    with torch.no_grad():
        return network.vision_encoder(case.inputs["image"])


@pytest.fixture(scope="module")
def maps(case, network, tokens, layer):
    """The maps, averaged over the longest text of each official batch as the reference does."""
    with torch.no_grad():
        parts = []
        for rows, texts in batches(case):
            found = gradcam_maps(
                network,
                tokens,
                texts,
                image_of=case.arrays["image_index"][rows],
                layer=layer,
                device=device_under_test(),
            )
            lengths = torch.tensor([len(text) for text in texts])
            parts.append(found.cpu() * (lengths / lengths.max())[:, None, None])
    return torch.cat(parts).numpy()


def test_maps_are_the_official_ones(case, maps, close):
    close(maps, case.outputs["gradcam"])
    scale = np.abs(case.outputs["gradcam"]).max()
    close(maps / scale, case.outputs["gradcam"] / scale)


def test_attention_is_the_official_one(case, network, layer, close):
    rows, texts = next(batches(case))
    device = device_under_test().torch
    encoder = network.text_encoder
    tokens = network.vision_encoder(case.inputs["image"])[case.inputs["image_index"][rows]]
    (packed,) = pack([len(text) for text in texts], CHUNK_SIZES["cpu"], image_of=range(len(texts)))
    ids, packed = packed.ids_of(texts).to(device), packed.to(device)
    by_image, states = packed.tokens.by_image, encoder.encode_text(ids, packed)
    images = encoder.project_kv(tokens)
    for number, (block, kv) in enumerate(
        zip(encoder.fusion_layers, images.layers, strict=True), start=encoder.fusion_layer
    ):
        states = block.self_attention(states, packed)
        if number == layer:
            break
        states = block.feed_forward(block.cross_attention(states, by_image, kv))
    weights = attention_weights(block, states, by_image, kv)
    official = case.outputs["attention_map_batch0"]
    compared = 0
    for bucket, attention in zip(by_image.buckets, weights, strict=True):
        for row, text in enumerate(range(bucket.segments.start, bucket.segments.stop)):
            length = len(texts[text])
            close(attention[row, :, :length], official[text, :, :length])
            compared += 1
    assert compared == len(texts)


@pytest.mark.parametrize("offset", [-1, 0])
def test_a_layer_without_cross_attention_is_refused(case, network, offset):
    encoder = network.text_encoder
    layer = encoder.fusion_layer - 1 if offset else len(encoder.layers)
    with pytest.raises(ValueError, match=f"layer {layer} has no cross-attention"):
        gradcam_maps(
            network,
            torch.empty(0, 10, 1),
            [],
            image_of=[],
            layer=layer,
            device=device_under_test(),
        )


def test_the_layer_of_the_released_model_is_the_fourth_with_cross_attention(network):
    text = network.architecture.text
    base = replace(text, layers=12, fusion_layer=6)
    small = replace(text, layers=4, fusion_layer=2)  # has two: the last one
    released = [
        released_layer(sizes, fusion_layer=XVLMLocalizer.fusion_layer) for sizes in (base, small)
    ]
    assert released == [9, 3]


def samples(case):
    """Reference, true box, detections and image of each text."""
    instances, dets = case.json("instances.json"), case.json("dets.json")
    refs = {ref["ref_id"]: ref for ref in case.json("refs.json")}
    images = {image["id"]: image for image in instances["images"]}
    boxes = {box["id"]: Box(*box["bbox"]) for box in instances["annotations"]}
    for ref_id in case.inputs["ref_id"].tolist():
        ref = refs[ref_id]
        yield ref, boxes[ref["ann_id"]], dets[str(ref["image_id"])], images[ref["image_id"]]


def test_boxes_and_accuracies_are_the_official_ones(case, maps):
    expected = case.json("expected.json")
    all_samples = list(samples(case))
    scores = [
        box_scores(
            attention, [Box(*det) for det in dets], width=image["width"], height=image["height"]
        )
        for attention, (_, _, dets, image) in zip(maps, all_samples, strict=True)
    ]
    largest = max(map(max, expected["det_scores"]))
    for mine, official in zip(scores, expected["det_scores"], strict=True):
        assert mine == pytest.approx(official, abs=1e-4 * min(1, largest))
    chosen = carried_forward(
        best_detection(mine, [Box(*det) for det in dets])
        for mine, (_, _, dets, _) in zip(scores, all_samples, strict=True)
    )
    correct = {}
    for box, (ref, true, _, _) in zip(chosen, all_samples, strict=True):
        hit = box is not None and iou_of_detection(true, box) >= THRESHOLD
        correct.setdefault(ref["split"], []).append(hit)
    for name, value in expected["grounding_eval"].items():
        assert np.mean(correct[name.removesuffix("_d")]) == pytest.approx(value)
    if "grounding_eval_vlue" in expected:
        total = expected["grounding_eval_vlue"]["score"]
        assert np.mean([hit for split in correct.values() for hit in split]) == pytest.approx(total)


def test_boxes_of_maps_made_by_hand_are_the_official_ones(case):
    """Also of a map of zeros and of a negative one, where the box before is taken."""
    if "synthetic_cam" not in case.arrays:
        pytest.skip(f"the golden {case.path.name} has no maps made by hand")
    expected = case.json("expected.json")["synthetic"]
    by_ref = {ref["ref_id"]: number for number, ref in enumerate(case.json("refs.json"))}
    sample_of = {ref["ref_id"]: (ref, *rest) for ref, *rest in samples(case)}
    best, correct = [], {}
    for chosen in expected["chosen"]:
        _, _, dets, image = sample_of[chosen["ref_id"]]
        boxes = [Box(*det) for det in dets]
        attention = case.arrays["synthetic_cam"][by_ref[chosen["ref_id"]]]
        scores = box_scores(attention, boxes, width=image["width"], height=image["height"])
        assert scores == pytest.approx(chosen["scores"], abs=1e-4)
        best.append(best_detection(scores, boxes))
    assert [box is None for box in best] == [chosen["stale"] for chosen in expected["chosen"]]
    for box, chosen in zip(carried_forward(best), expected["chosen"], strict=True):
        ref, true, _, _ = sample_of[chosen["ref_id"]]
        assert list(box) == chosen["box"]
        overlap = iou_of_detection(true, box)
        assert overlap == pytest.approx(chosen["iou"], abs=1e-9)
        correct.setdefault(ref["split"], []).append(overlap >= THRESHOLD)
    for name, value in expected["grounding_eval"].items():
        assert np.mean(correct[name.removesuffix("_d")]) == pytest.approx(value)


def test_where_nothing_scores_above_zero_the_box_before_is_taken():
    boxes = first, _ = Box(0, 0, 4, 4), Box(4, 4, 4, 4)
    best = [best_detection(scores, boxes) for scores in ([-1, 0], [2, 2], [0, -1])]
    assert best == [None, first, None]
    assert list(carried_forward(best)) == [None, first, first]
