"""OVAD's attributes of detected boxes, against the official matching and evaluator."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.metrics.attributes import average_precisions, chance_of_groups, chances, map_of_groups
from harness.metrics.detected_attributes import (
    BoxAttributes,
    corners,
    detected_attribute_map,
    match_boxes,
)

KIND = "ovad_det"


def read(case):
    """Return true boxes (as corners) with labels, and detections with scores, by image."""
    truths = {
        image["image_id"]: (image["gt_boxes"], image["gt_att_vec"])
        for image in case.json("labels.json")
    }
    detections = {
        image["image_id"]: (
            [box["bbox"] for box in image["instances"]],
            [box["att_scores"] for box in image["instances"]],
        )
        for image in case.json("predictions.json")
    }
    return truths, detections


def official_rows(case, *, unmatched):
    """Return scores and labels in the evaluator's order, of all true boxes or of matched ones."""
    scores, labels = [], []
    truths, detections = read(case)
    for image, (true, true_labels) in truths.items():
        boxes, box_scores = detections.get(image, ((), ()))
        if not true or not boxes:
            continue
        pairs = match_boxes(np.float32(true), corners(np.float32(boxes)))
        alone = sorted(set(range(len(true))) - {box for box, _ in pairs}) if unmatched else []
        scores += [[0.0] * len(true_labels[0])] * len(alone) + [box_scores[box] for _, box in pairs]
        labels += [true_labels[box] for box in alone] + [true_labels[box] for box, _ in pairs]
    return np.array(scores), np.array(labels, dtype=np.int8)


@pytest.mark.parametrize("setting", ["include_missing_boxes", "matched_only"])
def test_boxes_are_matched_and_scored_as_officially(case, setting):
    expected = case.json("expected.json")[setting]
    scores, labels = official_rows(case, unmatched=setting == "include_missing_boxes")
    assert labels.tolist() == expected["row_order_labels"]
    assert (scores == 0).all(1).sum() == expected["n_rows_all_zero_score"]
    attributes = [SimpleNamespace(**attribute) for attribute in case.json("attributes.json")]
    precisions = average_precisions(scores, labels)
    official = [np.nan if ap is None else ap for ap in expected["per_attribute_ap"]]
    assert precisions == pytest.approx(official, abs=1e-9, nan_ok=True)
    for found, values, name in (
        (map_of_groups(precisions, attributes), expected["map_percent"], "map"),
        (chance_of_groups(chances(labels), attributes), expected["chance_percent"], "chance"),
    ):
        assert found == pytest.approx(
            {
                name if group == "all" else f"{name}_{group}": value
                for group, value in values.items()
                if value is not None
            },
            abs=1e-7,
        )


def test_the_metric_of_own_detections_is_the_official_one(case):
    truths, detections = read(case)
    frequencies = [attribute["freq_set"] for attribute in case.json("attributes.json")]
    scores = detected_attribute_map(
        {image: BoxAttributes(*boxes) for image, boxes in detections.items()},
        {image: BoxAttributes(widths_of(true), labels) for image, (true, labels) in truths.items()},
        frequencies=frequencies,
    )
    official = case.json("expected.json")["include_missing_boxes"]["map_percent"]
    assert {name: metric.value for name, metric in scores.items()} == pytest.approx(
        {"map" if name == "all" else f"map_{name}": value for name, value in official.items()},
        abs=1e-7,
    )
    assert all(
        metric.interval.low < metric.value < metric.interval.high for metric in scores.values()
    )


def widths_of(boxes):
    """Return corners as (x, y, width, height)."""
    return [(left, top, right - left, bottom - top) for left, top, right, bottom in boxes]
