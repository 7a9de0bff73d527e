"""RefCOCO and RefCOCOg: the files of REFER, read and scored as those of RefCOCO+."""

import json
import pickle

import pytest

from harness.checkpoints import SHAPES, entries, find_weights
from harness.errors import DataError, MissingError
from harness.formats.folder import DataFolder
from harness.registry import find_task
from harness.task import load_samples
from tests.support import refcoco_files

UMD = [("val", 0), ("val", 1), ("test", 2)]  # split and ref_id
GOOGLE = [("val", 2), ("train", 0), ("train", 1)]


def references(assigned):
    """The references of `refcoco_files` in other splits."""
    by_id = {ref["ref_id"]: ref for ref in refcoco_files.refs()}
    return [{**by_id[ref_id], "split": split} for split, ref_id in assigned]


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(refcoco_files.instances()))
    for name, content in files.items():
        (folder / f"refs({name}).p").write_bytes(pickle.dumps(content, protocol=0))


@pytest.fixture
def data(tmp_path):
    root = refcoco_files.write(tmp_path)
    (root / "refcoco+").rename(root / "refcoco")
    write(root / "refcocog", umd=references(UMD), google=references(GOOGLE))
    return DataFolder(root, "files")


def test_the_splits_of_refcoco_are_those_of_its_own_references(data):
    task = find_task("refcoco")
    assert [sample.text for sample in task.load(data, "val")] == [
        "red cup",
        "the cup",
        "blue plate",
    ]
    assert [sample.id for sample in task.load(data, "testA")] == [103, 104]
    with pytest.raises(DataError, match=r"refcoco/refs\(unc\).p: has no expression of the split t"):
        task.load(data, "testB")


def test_refcocog_has_the_splits_of_two_files(data):
    task = find_task("refcocog")
    ids = {
        split: [sample.id for sample in load_samples(task, data, split)] for split in task.splits
    }
    assert ids == {"val": [100, 101, 102], "test": [103, 104], "val-google": [103, 104]}
    (data.root / "refcocog" / "refs(google).p").unlink()
    assert len(task.load(data, "test")) == 2
    with pytest.raises(MissingError, match="RefCOCOg's references, Google's split"):
        task.load(data, "val-google")


@pytest.mark.parametrize("name", ["refcoco", "refcocog"])
@pytest.mark.parametrize("place", ["data/{}", "data/finetune/{}", "finetune/{}"])
def test_files_are_found_where_other_code_has_them(data, name, place):
    target = data.root / place.format(name)
    target.parent.mkdir(parents=True)
    (data.root / name).rename(target)
    assert len(find_task(name).load(data, "val")) == 3


def test_boxes_are_scored_by_expression_from_an_iou_of_one_half(data, tmp_path):
    task = find_task("refcocog")
    samples = task.load(data, "val")
    cup = [(10 + 15) / 100, (20 + 20) / 80, 30 / 100, 40 / 80]  # of 30 x 40 pixels in 100 x 80
    half = [(10 + 15) / 100, (20 + 10) / 80, 30 / 100, 20 / 80]
    predictions = {100: cup, 101: half, 102: task.fallback_prediction(samples[2])}
    scores = task.score(samples, predictions)
    assert scores.by_sample["accuracy"] == [100.0, 100.0, 0.0]
    assert scores.metrics == {"accuracy": pytest.approx(200 / 3)}
    path = tmp_path / "boxes.json"  # as X-VLM writes them
    path.write_text(
        json.dumps([{"ref_id": 0, "pred": cup}, {"ref_id": 0, "pred": half},
                    {"ref_id": 1, "pred": [0.0, 0.0, 0.0, 0.0]}])
    )  # fmt: skip
    assert task.score_official(samples, path).metrics == scores.metrics


def test_the_weights_are_those_of_refcoco_plus():
    for name in ("refcoco", "refcocog"):
        task = find_task(name)
        assert task.extra and name not in entries()[SHAPES].files
        weights = find_weights(SHAPES, task=name, data=None, like=task.weights_of)
        assert weights.release == entries()[SHAPES].files["refcoco+"]
