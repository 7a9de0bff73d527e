"""The real benchmark's path, in the real layout and at its real size: files in their places, the released names, a row of the paper."""

import json
import pickle

import pytest
from PIL import Image

from harness.cli import main
from tests.models_on_disk import grounding_state, write_checkpoint, write_vocabulary

EXPRESSIONS, IMAGES = 4889, 61  # of testB as published, on fewer images than there are
TEXTS = ("the red cup", "blue plate", "tall man", "a man")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder as the README shows it, with weights of the released size in pixels and of no skill at all."""
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "DATA"
    photos, annotations, vocabulary = root / "images/coco/train2014", root / "refcoco+", root / "bert-base-uncased"
    for folder in (photos, annotations, vocabulary):
        folder.mkdir(parents=True)
    write_vocabulary(vocabulary)
    write_checkpoint(root / "checkpoints/x-vlm-base-16m/refcoco_bbox/checkpoint_best.pth", grounding_state(resolution=384))
    for number in range(IMAGES):
        Image.new("RGB", (32, 24), (4 * number, 90, 160)).save(photos / f"{number}.jpg")
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 32, "height": 24} for number in range(IMAGES)]
    boxes = [{"id": number, "image_id": number, "bbox": [4, 4, 24, 16]} for number in range(IMAGES)]
    (annotations / "instances.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    refs = [{"ref_id": n, "ann_id": n, "image_id": n, "split": "testB", "sentences": []} for n in range(IMAGES)]
    for sent_id in range(EXPRESSIONS):
        refs[sent_id % IMAGES]["sentences"].append({"sent_id": sent_id, "sent": TEXTS[sent_id % len(TEXTS)]})
    (annotations / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=0))
    return root


def test_a_run_of_the_released_checkpoint_fills_its_row_of_the_paper(data, tmp_path, capsys):
    out = str(tmp_path / "runs")
    assert main(["run", "--task", "refcoco+", "--split", "testB", "--data", str(data), "--out", out, "--batch-size", "400"]) == 0
    capsys.readouterr()
    assert main(["table", out, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["shapes"] == []
    (row,) = [row for row in shown["rows"] if row["measured"] is not None]
    record = json.loads((tmp_path / "runs/x-vlm-base-16m/refcoco+.testB.json").read_text())
    assert (row["dataset"], row["metric"], row["paper"], row["n"]) == ("RefCOCO+ test B", "Accuracy (%)", 76.91, EXPRESSIONS)
    assert row["measured"] == record["metrics"]["accuracy"]
    assert (row["checkpoint"], row["checkpoint_sha256"]) == ("x-vlm-base-16m", record["checkpoint"]["sha256"])
    assert row["delta"] == pytest.approx(row["measured"] - 76.91)
    assert row["verdict"] == "off"  # the weights are random
