"""Weakly supervised RefCOCO+: detections chosen by maps whose every number can be checked by hand,
and whole runs on the embedded images."""

import json

import numpy as np
import pytest

from harness.checkpoints import SHAPES, entries, find_weights
from harness.cli.main import main
from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.task import Batch
from tasks.refcoco_plus_weak import WeakRefCOCOPlus
from tests.support import refcoco_files
from tests.support.models_on_disk import write_checkpoint

TASK = WeakRefCOCOPlus()
CUP, PLATE, OTHER = refcoco_files.BOXES[10], refcoco_files.BOXES[11], [40, 40, 20, 20]


@pytest.fixture
def data(tmp_path):
    root = refcoco_files.write(tmp_path)
    (root / "refcoco+" / "dets.json").write_text(json.dumps(refcoco_files.detections()))
    return DataFolder(root, "files")


class Maps:
    """A localizer with a given map [2, 2] of each expression, which tells what it was given."""

    def __init__(self, *maps):
        self.maps = maps

    def localize(self, images, expressions, image_of):
        self.given = images.shape, expressions, image_of.tolist()
        return np.array(self.maps, dtype=np.float32)


def test_a_sample_has_the_detections_of_its_image_in_file_order(data):
    samples = TASK.load(data, "val")
    assert [sample.id for sample in samples] == [100, 101, 102]
    assert {sample.detections for sample in samples} == {(tuple(OTHER), tuple(CUP), tuple(PLATE))}
    assert [list(map(list, s.detections)) for s in TASK.load(data, "testA")] == [
        [refcoco_files.BOXES[12]]
    ] * 2


@pytest.mark.parametrize("place", ["data/refcoco+", "data/finetune/refcoco+"])
def test_detections_are_found_where_x_vlms_code_has_them(data, place):
    (data.root / place).mkdir(parents=True)
    (data.root / "refcoco+" / "dets.json").rename(data.root / place / "dets.json")
    assert TASK.load(data, "val")[0].detections[1] == tuple(CUP)


@pytest.mark.parametrize(
    ("detections", "problem"),
    [
        ({"2": []}, "has no detections of image 1, which sent_id 100 is about"),
        ({"1": [[1, 2, 3, 0]], "2": []}, "detection 0 of image 1 is empty"),
        ({"1": [[1, 2, 3]], "2": []}, "1"),
        ({"one": []}, "the key 'one' should be the id of an image"),
        ([], "should be an object"),
    ],
)
def test_detections_that_cannot_be_used_are_refused(data, detections, problem):
    path = data.root / "refcoco+" / "dets.json"
    path.write_text(json.dumps(detections))
    with pytest.raises(DataError, match=problem) as caught:
        TASK.load(data, "val")
    assert str(path) in str(caught.value)


def test_an_image_without_detections_has_no_box(data):
    (data.root / "refcoco+" / "dets.json").write_text('{"1": [], "2": []}')
    (sample, *_) = TASK.load(data, "val")
    images, image_of = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 1), np.int64)
    assert TASK.predict(Maps(np.ones((2, 2))), Batch([sample], images, image_of)) == [None]


def test_the_detection_with_the_strongest_map_for_its_size_is_predicted(data):
    """A map that is 1 everywhere favours the largest box; one of the bottom right, `OTHER`."""
    model = Maps(np.ones((2, 2)), [[0, 0], [0, 1]], [[0, 0], [0, 0]])
    images, image_of = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((3, 1), np.int64)
    batch = Batch(TASK.load(data, "val"), images, image_of)
    assert TASK.predict(model, batch) == [PLATE, OTHER, None]
    assert model.given == ((1, 8, 8, 3), ["red cup", "the cup", "blue plate"], [0, 0, 0])


def test_an_expression_without_a_box_is_given_that_of_the_one_before(data):
    """The truths are the cup, the cup and the plate."""
    samples = TASK.load(data, "val")

    def correct(*boxes):
        return TASK.score(samples, dict(zip((100, 101, 102), boxes, strict=True)))

    assert correct(CUP, None, PLATE).by_sample["accuracy"] == [100.0, 100.0, 100.0]
    assert correct(CUP, None, None).by_sample["accuracy"] == [100.0, 100.0, 0.0]
    assert correct(None, CUP, PLATE).by_sample["accuracy"] == [0.0, 100.0, 100.0]
    assert correct(None, None, None).metrics == {"accuracy": 0.0}
    half = correct(CUP, [10, 20, 30, 20], PLATE)  # an IoU of one half counts
    assert half.metrics == {"accuracy": 100.0}
    assert half.breakdown["iou"]["mean"] == pytest.approx(250 / 3)


@pytest.mark.parametrize("prediction", ["box", [1, 2, 3], [0, 0, -30, 40], [0, 0, 30, None], True])
def test_a_prediction_that_is_no_box_is_refused(data, prediction):
    with pytest.raises(DataError, match="the prediction for sent_id 101"):
        TASK.score(TASK.load(data, "val"), {100: CUP, 101: prediction, 102: PLATE})


def test_a_list_of_chosen_detections_is_scored(data, tmp_path):
    path = tmp_path / "boxes.json"
    rows = [{"sent_id": 102, "pred": PLATE}, {"sent_id": 100, "pred": CUP}]
    path.write_text(json.dumps([*rows, {"sent_id": 101, "pred": None}]))
    assert TASK.score_official(TASK.load(data, "val"), path).metrics == {"accuracy": 100.0}
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError, match="1 ids are missing"):
        TASK.score_official(TASK.load(data, "val"), path)


def test_boxes_that_are_no_detections_are_scored_and_said(data):
    samples = TASK.load(data, "val")
    sizes = [(s.width, s.height) * 2 for s in samples]
    scores = TASK.score(samples, {s.id: list(s.detections[0]) for s in samples if s.detections}
                        | {s.id: None for s in samples if not s.detections})  # fmt: skip
    assert not scores.caveats
    fractions = {
        s.id: [number / side for number, side in zip(PLATE, size, strict=True)]
        for s, size in zip(samples, sizes, strict=True)
    }
    (caveat,) = TASK.score(samples, fractions).caveats
    assert "3 of 3 boxes are none of the detections of their images" in caveat


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the embedded retrieval weights, in batches of different sizes."""
    weights = find_weights(SHAPES, task="coco-retrieval", data=None)
    root = tmp_path_factory.mktemp("runs")
    command = ["run", "--task", TASK.name, "--split", "val", "--checkpoint", str(weights.path)]
    for size in ("7", "40"):
        arguments = ["--limit", "40", "--batch-size", size, "--out", str(root / size)]
        assert main([*command, *arguments]) == 0
    return {size: root / size / "retrieval" for size in ("7", "40")}


def test_a_run_ends_in_the_same_result_for_every_batch_size(runs):
    stem = "refcoco+-weak.val.limit-40"
    first, second = (json.loads((runs[size] / f"{stem}.json").read_text()) for size in runs)
    assert first["metrics"] == second["metrics"]
    assert first["n"] == 40
    assert first["protocol"] == (
        "iou>=0.5|per-expression|best-detection|itm-gradcam|layer 3|96px|bicubic|30-words"
    )
    lines = (runs["7"] / f"{stem}.predictions.jsonl").read_text().splitlines()[1:]
    assert len(lines) == 40 and all(len(json.loads(line)["prediction"]) == 4 for line in lines)


def test_other_heads_are_refused_and_the_embedded_model_has_none(data, tmp_path, capsys):
    assert TASK.name not in entries()[SHAPES].files
    weights = write_checkpoint(tmp_path / "tiny.th")
    run = ["run", "--task", "refcoco+-weak", "--split", "val", "--data", str(data.root)]
    assert main([*run, "--checkpoint", str(weights), "--out", str(tmp_path / "out")]) != 0
    assert "refcoco+-weak needs a Localizer" in capsys.readouterr().err
    assert main([*run, "--checkpoint", SHAPES, "--out", str(tmp_path / "out")]) == 2
    assert "xvlm-shapes has no checkpoint for refcoco+-weak" in capsys.readouterr().err
