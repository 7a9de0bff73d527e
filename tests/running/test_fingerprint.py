"""The fingerprint of what a model is given."""

import json
from dataclasses import replace

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
    monkeypatch.setattr(model.runtime.tokenizer, "ids", lambda text, max_tokens: [1, 2, 3])
    after = fingerprint_inputs(TASK, model, samples)
    assert after["images"] == before["images"] and after["texts"] != before["texts"]


def test_an_unknown_part_is_none(model, samples):
    class Silent:
        prepare = staticmethod(model.prepare)

    assert fingerprint_inputs(TASK, Silent(), samples)["texts"] is None
    gone = [
        replace(sample, images=(sample.images[0].with_name("gone.jpg"),)) for sample in samples[:8]
    ]
    fingerprint = fingerprint_inputs(TASK, model, gone)
    assert fingerprint["images"] is None and fingerprint["texts"] is not None


@pytest.mark.parametrize(
    "name", ["vqav2", "nlvr2", "coco-caption", "coco-retrieval", "flickr30k-retrieval", "ovad"]
)
def test_every_task_has_one(name):
    task = find_task(name)
    model = load_model(
        find_weights(SHAPES, task=name, data=None), needs=task.needs, device="cpu", dtype="float32"
    )
    fingerprint = fingerprint_inputs(task, model, task.load(embedded_data(), task.splits[0]))
    assert fingerprint["images"] is not None
    assert (fingerprint["texts"] is None) == (name == "coco-caption")  # a captioner reads no text


def test_a_record_keeps_it_whatever_the_batch_size_and_however_often_the_run_was_resumed(tmp_path):
    run = ["run", "--task", "refcoco+", "--split", "testB", "--limit", "24", "--out"]
    records = []
    for name, size in (("a", "5"), ("b", "32")):
        assert main([*run, str(tmp_path / name), "--batch-size", size]) == 0
        path = tmp_path / name / "xvlm-shapes" / "refcoco+.testB.limit-24.predictions.jsonl"
        path.write_bytes(path.read_bytes()[:-200])
        assert main([*run, str(tmp_path / name), "--batch-size", size]) == 0
        records.append(json.loads(path.with_name("refcoco+.testB.limit-24.json").read_text()))
    assert (
        records[0]["inputs"] == records[1]["inputs"] and len(records[0]["inputs"]["images"]) == 64
    )
    assert [record["software"]["batch_size"] for record in records] == [5, 32]
    assert records[0]["software"]["processor"] == records[1]["software"]["processor"]
