"""The fingerprint of what a model is given."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from harness.checkpoints import SHAPES, find_weights
from harness.cli.main import main
from harness.registry import find_task, load_model
from harness.running.inputs.fingerprint import fingerprint_inputs
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


def test_texts_that_samples_share_are_tokenised_once_and_count_for_each(samples):
    class Reading:
        prepare = staticmethod(lambda image: np.zeros((1, 1, 3), dtype=np.uint8))

        def token_ids(self, texts):
            read.extend(texts)
            return [[ord(letter) for letter in text] for text in texts]

    read: list[str] = []
    shared = [replace(sample, text="ab" if sample.id % 2 else "c") for sample in samples[:8]]
    content = json.dumps([[97, 98] if sample.id % 2 else [99] for sample in shared])
    digest = hashlib.sha256(content.encode()).hexdigest()
    assert fingerprint_inputs(TASK, Reading(), shared)["texts"] == digest
    assert sorted(read) == ["ab", "c"]
