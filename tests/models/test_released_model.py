"""The real benchmarks in their real layout and size, with the released names of checkpoints."""

import json
import pickle
from dataclasses import replace

import pytest
import torch
from PIL import Image

from harness.checkpoints import PAPER, entries
from harness.cli.main import main
from harness.files.paths import cache_folder
from harness.formats.folder import MARKER
from harness.shapes.training.vocabulary import vocabulary
from tasks.refcoco_plus import RefCOCOPlus
from tests.support.benchmark_copy import copy_benchmark
from tests.support.models_on_disk import (
    grounding_state,
    random_state,
    sizes,
    write_checkpoint,
    write_vocabulary,
)
from tests.support.predicting import TUNED

EXPRESSIONS, IMAGES = 4889, 61  # of testB as published, on fewer images than there are
TEXTS = ("the red cup", "blue plate", "tall man", "a man")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder in the documented layout, with random weights of the released resolution."""
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "DATA"
    photos, annotations, vocabulary = (
        root / "images/coco/train2014",
        root / "refcoco+",
        root / "bert-base-uncased",
    )
    for folder in (photos, annotations, vocabulary):
        folder.mkdir(parents=True)
    write_vocabulary(vocabulary)
    write_checkpoint(
        root / "checkpoints/x-vlm-base-16m/refcoco_bbox/checkpoint_best.pth",
        grounding_state(resolution=384),
    )
    for number in range(IMAGES):
        Image.new("RGB", (32, 24), (4 * number, 90, 160)).save(photos / f"{number}.jpg")
    images = [
        {"id": number, "file_name": f"{number}.jpg", "width": 32, "height": 24}
        for number in range(IMAGES)
    ]
    boxes = [{"id": number, "image_id": number, "bbox": [4, 4, 24, 16]} for number in range(IMAGES)]
    (annotations / "instances.json").write_text(
        json.dumps({"images": images, "annotations": boxes})
    )
    refs = [
        {"ref_id": n, "ann_id": n, "image_id": n, "split": "testB", "sentences": []}
        for n in range(IMAGES)
    ]
    for sent_id in range(EXPRESSIONS):
        refs[sent_id % IMAGES]["sentences"].append(
            {"sent_id": sent_id, "sent": TEXTS[sent_id % len(TEXTS)]}
        )
    (annotations / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=0))
    return root


@pytest.fixture
def published(monkeypatch):
    """Publish the made split: its number of expressions, on fewer images than the real one has."""
    counts = {"testB": {"samples": EXPRESSIONS, "images": IMAGES}}
    monkeypatch.setattr(RefCOCOPlus, "dataset", replace(RefCOCOPlus.dataset, counts=counts))


def test_a_run_of_the_released_checkpoint_fills_its_row_of_the_paper(
    data, published, tmp_path, capsys
):
    out = str(tmp_path / "runs")
    assert (
        main(
            [
                "run",
                "--task",
                "refcoco+",
                "--split",
                "testB",
                "--data",
                str(data),
                "--out",
                out,
                "--batch-size",
                "400",
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["table", out, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["shapes"] == []
    (row,) = [row for row in shown["rows"] if row["measured"] is not None]
    record = json.loads((tmp_path / "runs/x-vlm-base-16m/refcoco+.testB.json").read_text())
    assert (row["dataset"], row["metric"], row["paper"], row["n"]) == (
        "RefCOCO+ test B",
        "Accuracy (%)",
        76.91,
        EXPRESSIONS,
    )
    assert row["measured"] == record["metrics"]["accuracy"]
    assert (row["checkpoint"], row["checkpoint_sha256"]) == (
        "x-vlm-base-16m",
        record["checkpoint"]["sha256"],
    )
    assert row["delta"] == pytest.approx(row["measured"] - 76.91)
    assert row["verdict"] == "off"  # the weights are random


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All seven benchmarks in their real layout, and a tiny random checkpoint of every head."""
    root = tmp_path_factory.mktemp("real") / "DATA"
    copy_benchmark(root)
    (root / MARKER).unlink()
    (root / "bert-base-uncased").mkdir()
    (root / "bert-base-uncased" / "vocab.txt").write_text("\n".join(vocabulary()) + "\n")
    for release in entries()[PAPER].files.values():
        tiny = sizes(release.resolution or 384, pieces=len(vocabulary()), positions=64)
        path = root / "checkpoints" / PAPER / release.path
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"model": random_state(release.head, tiny)}, path)
    return root


@pytest.mark.parametrize(
    "task", [*TUNED, "flickr30k-retrieval-zero-shot", "vlue-retrieval", "vlue-grounding-weak"]
)
def test_every_task_goes_through_on_files_in_the_real_layout(
    everything, tmp_path, monkeypatch, capsys, task
):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "meteor").symlink_to(cache_folder() / "meteor")  # an index that takes seconds
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(cache))
    out = tmp_path / "runs"
    assert (
        main(["run", "--task", task, "--data", str(everything), "--limit", "3", "--out", str(out)])
        == 0
    )
    records = [json.loads(path.read_text()) for path in out.glob("*/*.limit-3.json")]
    assert records and {record["checkpoint"]["name"] for record in records} == {PAPER}
    assert {(record["task"], record["data"]["name"], record["n"]) for record in records} == {
        (task, "files", 3)
    }
    assert all(
        record["metrics"] or "eval.ai" in record["not_run"]["accuracy"] for record in records
    )
    uploads = [json.loads(path.read_text()) for path in out.glob("*/*.submission.json")]
    assert len(uploads) == (2 if task == "vqav2" else 0)  # test-dev and test
    assert all(len(upload) == 3 and {*upload[0]} == {"question_id", "answer"} for upload in uploads)
    assert ("upload the submission to https://eval.ai" in capsys.readouterr().out) == bool(uploads)
