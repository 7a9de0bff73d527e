"""Weakly supervised grounding from image and text to map and box, against the official model and evaluation."""

import numpy as np
import pytest

from harness.metrics.grounding import THRESHOLD, Box, iou
from harness.metrics.weak_grounding import box_scores, chosen_boxes
from harness.models.fusion.bert import padding_mask
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.gradcam import attention_weights, looked_at
from harness.models.xvlm.networks import retrieval_network
from tests.support.golden import device_under_test

KIND = "d_weak_grounding"
BLOCK = 3  # `block_num` of the golden


@pytest.fixture
def network(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return retrieval_network(checkpoint).to(device_under_test().torch)


def batches(case):
    """The rows of each official batch, and their texts cut to the longest of them."""
    size, present = int(case.inputs["batch_size"]), case.inputs["text_atts"]
    for rows in np.split(np.arange(len(present)), range(size, len(present), size)):
        longest = int(present[rows].sum(1).max())
        yield rows, case.inputs["text_ids"][rows, :longest], present[rows, :longest]


@pytest.fixture
def maps(case, network):
    tokens = network.vision_encoder(case.inputs["image"])[case.inputs["image_index"]]
    return np.concatenate(
        [
            looked_at(network, tokens[rows], ids, there, layer=BLOCK).cpu().numpy()
            for rows, ids, there in batches(case)
        ]
    )


def test_maps_are_the_official_ones(case, maps, close):
    close(maps, case.outputs["gradcam"])
    scale = np.abs(case.outputs["gradcam"]).max()
    close(maps / scale, case.outputs["gradcam"] / scale)


def test_attention_is_the_official_one(case, network, close):
    rows, ids, there = next(batches(case))
    tokens = network.vision_encoder(case.inputs["image"])[case.inputs["image_index"][rows]]
    mask, encoder = padding_mask(there[:, None]), network.text_encoder
    states, memory = encoder.read(ids[:, None], mask), encoder.remember(tokens)
    for number, (block, seen) in enumerate(
        zip(encoder.fusion_layers, memory, strict=True), start=encoder.fusion_layer
    ):
        states = block.attend(states, block.recall(states), mask)
        if number == BLOCK:
            close(attention_weights(block, states, seen), case.outputs["attention_map_batch0"])
            return
        states = block.think(block.look(states, seen, None))
    raise AssertionError("the golden names a layer that does not look")


def samples(case):
    """Reference, detections and image of each text."""
    instances, dets = case.json("instances.json"), case.json("dets.json")
    refs = {ref["ref_id"]: ref for ref in case.json("refs.json")}
    images = {image["id"]: image for image in instances["images"]}
    boxes = {box["id"]: Box(*box["bbox"]) for box in instances["annotations"]}
    for ref_id in case.inputs["ref_id"].tolist():
        ref = refs[ref_id]
        yield ref, boxes[ref["ann_id"]], dets[str(ref["image_id"])], images[ref["image_id"]]


def test_boxes_and_accuracies_are_the_official_ones(case, maps):
    expected = case.json("expected.json")
    everything = list(samples(case))
    scores = [
        box_scores(attention, dets, width=image["width"], height=image["height"])
        for attention, (_, _, dets, image) in zip(maps, everything, strict=True)
    ]
    for mine, official in zip(scores, expected["det_scores"], strict=True):
        assert mine == pytest.approx(official, abs=1e-4)
    chosen = chosen_boxes(scores, [dets for _, _, dets, _ in everything])
    right = {}
    for box, (ref, true, _, _) in zip(chosen, everything, strict=True):
        right.setdefault(ref["split"], []).append(box is not None and iou(true, box) >= THRESHOLD)
    for name, value in expected["grounding_eval"].items():
        assert np.mean(right[name.removesuffix("_d")]) == pytest.approx(value)
    assert np.mean([one for split in right.values() for one in split]) == pytest.approx(
        expected["grounding_eval_vlue"]["score"]
    )


def test_where_nothing_scores_above_zero_the_box_before_is_taken():
    first, second = [0, 0, 4, 4], [4, 4, 4, 4]
    boxes = [[first, second]] * 3
    assert list(chosen_boxes([[-1, 0], [2, 2], [0, -1]], boxes)) == [None, Box(*first), Box(*first)]
