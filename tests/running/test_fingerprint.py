"""The fingerprint of what a model is given."""

import json

import pytest

from harness.checkpoints import SHAPES, find_weights
from harness.cli.main import main
from harness.registry import find_task, load_model
from harness.running.fingerprint import fingerprint_inputs
from harness.shapes.benchmark import embedded_data

TASK = find_task("refcoco+")


@pytest.fixture(scope="module")
def model():
    return load_model(
        find_weights(SHAPES, task=TASK.name, data=None),
        needs=TASK.needs,
        device="cpu",
        dtype="float32",
    )


@pytest.fixture(scope="module")
def samples():
    return TASK.load(embedded_data(), "testB")


def test_it_is_of_the_first_samples_and_of_no_other(model, samples):
    first = fingerprint_inputs(TASK, model, samples)
    assert first["samples"] == 8 and len(first["images"]) == len(first["texts"]) == 64
    assert fingerprint_inputs(TASK, model, samples[:8]) == first
    assert fingerprint_inputs(TASK, model, samples[8:])["texts"] != first["texts"]


def test_another_filter_changes_the_images_and_not_the_texts(model, samples, monkeypatch):
    before = fingerprint_inputs(TASK, model, samples)
    monkeypatch.setattr(model, "prepare", model.runtime.prepare_bilinear)
    after = fingerprint_inputs(TASK, model, samples)
    assert after["images"] != before["images"] and after["texts"] == before["texts"]


def test_another_way_to_cut_texts_changes_the_texts_and_not_the_images(model, samples, monkeypatch):
    before = fingerprint_inputs(TASK, model, samples)
    monkeypatch.setattr(model.runtime.tokenizer, "ids", lambda text: [1, 2, 3])
    after = fingerprint_inputs(TASK, model, samples)
    assert after["images"] == before["images"] and after["texts"] != before["texts"]


def test_what_cannot_be_told_is_none(model, samples):
    class Silent:
        prepare = staticmethod(model.prepare)

    assert fingerprint_inputs(TASK, Silent(), samples)["texts"] is None
    gone = [
        type(sample)(**{**vars(sample), "images": (sample.images[0].with_name("gone.jpg"),)})
        for sample in samples[:8]
    ]
    found = fingerprint_inputs(TASK, model, gone)
    assert found["images"] is None and found["texts"] is not None


@pytest.mark.parametrize(
    "task", ["vqav2", "nlvr2", "coco-caption", "coco-retrieval", "flickr30k-retrieval", "ovad"]
)
def test_every_task_has_one(task):
    found = find_task(task)
    model = load_model(
        find_weights(SHAPES, task=task, data=None), needs=found.needs, device="cpu", dtype="float32"
    )
    fingerprint = fingerprint_inputs(found, model, found.load(embedded_data(), found.splits[0]))
    assert fingerprint["images"] is not None
    assert (fingerprint["texts"] is None) == (
        task == "coco-caption"
    )  # nothing is asked of a captioner


def test_a_record_tells_it_whatever_the_batch_size_and_however_often_the_run_was_resumed(tmp_path):
    run = ["run", "--task", "refcoco+", "--split", "testB", "--limit", "24", "--out"]
    found = []
    for name, size in (("a", "5"), ("b", "32")):
        assert main([*run, str(tmp_path / name), "--batch-size", size]) == 0
        path = tmp_path / name / "xvlm-shapes" / "refcoco+.testB.limit-24.predictions.jsonl"
        path.write_bytes(path.read_bytes()[:-200])
        assert main([*run, str(tmp_path / name), "--batch-size", size]) == 0
        found.append(json.loads(path.with_name("refcoco+.testB.limit-24.json").read_text()))
    assert found[0]["inputs"] == found[1]["inputs"] and len(found[0]["inputs"]["images"]) == 64
    assert [record["software"]["batch_size"] for record in found] == [5, 32]
    assert found[0]["software"]["processor"] == found[1]["software"]["processor"]
