"""Weakly supervised grounding from image and text to map and box, against the official code."""

import numpy as np
import pytest
import torch

from harness.engine.chunks import CHUNK_SIZES
from harness.engine.packing import pack
from harness.metrics.grounding import THRESHOLD, Box, iou
from harness.metrics.weak_grounding import box_scores, chosen_boxes
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.gradcam import attention_weights, gradcam_map
from harness.models.xvlm.networks import retrieval_network
from tests.support.golden import device_under_test

KIND = "d_weak_grounding"


@pytest.fixture
def network(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return retrieval_network(checkpoint).to(device_under_test().torch)


@pytest.fixture
def layer(case):
    return case.config["config"]["block_num"]


def batches(case):
    """The rows of each official batch, and their texts as token ids."""
    size, present = int(case.inputs["batch_size"]), case.inputs["text_atts"]
    for rows in np.split(np.arange(len(present)), range(size, len(present), size)):
        pairs = zip(case.inputs["text_ids"][rows], present[rows], strict=True)
        yield rows, [ids[there > 0].tolist() for ids, there in pairs]


@pytest.fixture
def maps(case, network, layer):
    tokens = network.vision_encoder(case.inputs["image"])[case.inputs["image_index"]]
    parts = [
        gradcam_map(network, tokens[rows], texts, layer=layer) for rows, texts in batches(case)
    ]
    return torch.cat(parts).cpu().numpy()


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
        gradcam_map(network, torch.empty(0, 10, 1), [], layer=layer)


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
        box_scores(attention, dets, width=image["width"], height=image["height"])
        for attention, (_, _, dets, image) in zip(maps, all_samples, strict=True)
    ]
    for mine, official in zip(scores, expected["det_scores"], strict=True):
        assert mine == pytest.approx(official, abs=1e-4)
    chosen = chosen_boxes(scores, [dets for _, _, dets, _ in all_samples])
    correct = {}
    for box, (ref, true, _, _) in zip(chosen, all_samples, strict=True):
        hit = box is not None and iou(true, box) >= THRESHOLD
        correct.setdefault(ref["split"], []).append(hit)
    for name, value in expected["grounding_eval"].items():
        assert np.mean(correct[name.removesuffix("_d")]) == pytest.approx(value)
    total = expected["grounding_eval_vlue"]["score"]
    assert np.mean([hit for split in correct.values() for hit in split]) == pytest.approx(total)


def test_where_nothing_scores_above_zero_the_box_before_is_taken():
    first, second = [0, 0, 4, 4], [4, 4, 4, 4]
    boxes = [[first, second]] * 3
    assert list(chosen_boxes([[-1, 0], [2, 2], [0, -1]], boxes)) == [None, Box(*first), Box(*first)]
