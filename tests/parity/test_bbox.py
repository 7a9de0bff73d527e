"""Grounding from text and image to box and IoU, against the official model and evaluation."""

import numpy as np
import pytest

from harness.metrics.grounding import Box, accuracy, in_pixels, iou
from harness.models.xvlm.adapters import XVLMGrounder
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.preprocessing import pre_caption
from tests.support.golden import device_under_test

KIND = "c_bbox"


@pytest.fixture(scope="module")
def grounder(case):
    checkpoint = read_checkpoint(case.path / "checkpoint.th", case.path / "config.json")
    return XVLMGrounder(checkpoint, case.path / "vocab.txt", device_under_test())


def predicted(case, grounder):
    """The boxes of all texts, each image encoded once for all of its texts."""
    return grounder.locate(
        case.inputs["image"], case.json("texts.json")["raw"], case.arrays["image_index"]
    ).numpy()


def test_texts_become_the_official_tokens(case, grounder):
    tokens = grounder.runtime.tokenizer.batch(
        [pre_caption(text) for text in case.json("texts.json")["raw"]]
    )
    assert np.array_equal(tokens.ids, case.arrays["text_ids"])
    assert np.array_equal(tokens.present, case.arrays["text_atts"])


def test_boxes_are_the_official_ones(case, grounder, close):
    close(predicted(case, grounder), case.outputs["outputs_coord"])


def truths(case):
    """The true box and image size of each text, in the order of the arrays."""
    refs = {ref["ref_id"]: ref for ref in case.json("refs.json")}
    instances = case.json("instances.json")
    boxes = {box["id"]: Box(*box["bbox"]) for box in instances["annotations"]}
    images = {image["id"]: image for image in instances["images"]}
    for ref_id in case.inputs["ref_id"].tolist():
        yield refs[ref_id]["split"], boxes[refs[ref_id]["ann_id"]], images[refs[ref_id]["image_id"]]


def test_pixels_and_ious_are_the_official_ones_bit_for_bit(case):
    for number, (_, box, image) in enumerate(truths(case)):
        pixels = in_pixels(
            case.outputs["outputs_coord"][number], width=image["width"], height=image["height"]
        )
        assert np.array_equal(np.array(pixels, np.float32), case.outputs["pred_box_xywh"][number])
        assert iou(box, pixels) == case.outputs["iou"][number]


def test_accuracies_are_the_official_ones(case, grounder):
    overlaps = {}
    for box, (split, true, image) in zip(predicted(case, grounder), truths(case), strict=True):
        overlaps.setdefault(split, []).append(
            iou(true, in_pixels(box, width=image["width"], height=image["height"]))
        )
    expected = case.json("expected.json")
    for name, value in expected["grounding_eval_bbox"].items():
        assert accuracy(overlaps[name.removesuffix("_d")]) == pytest.approx(100 * value, abs=1e-9)
    if "grounding_eval_bbox_vlue" in expected:
        total = expected["grounding_eval_bbox_vlue"]["score"]
        everything = [overlap for split in overlaps.values() for overlap in split]
        assert accuracy(everything) == pytest.approx(100 * total, abs=1e-9)


def test_the_iou_of_the_listed_pairs_is_the_official_one(case):
    expected = case.json("expected.json")
    if "iou_pairs" not in expected:
        pytest.skip(f"the golden {case.path.name} lists no pairs of boxes")
    for pair in expected["iou_pairs"]:
        assert iou(Box(*pair["box1"]), Box(*pair["box2"])) == pytest.approx(pair["iou"], abs=1e-7)
