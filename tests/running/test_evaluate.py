"""Subsets, the identity of a run, and that nothing partial is scored."""

import json

import pytest

from harness.checkpoints import SHAPES, Weights, find_weights
from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.records.predictions import open_predictions
from harness.registry import load_model
from harness.running.identity import identify
from harness.running.run import Run, Speed
from harness.running.scoring import make_record
from harness.running.subset import subset
from harness.task import Sample
from tasks.refcoco_plus import RefCOCOPlus
from tests.support import refcoco_files
from tests.support.models_on_disk import write_checkpoint

BOX = [0.5, 0.5, 0.2, 0.2]


@pytest.fixture
def run(tmp_path):
    data = DataFolder(refcoco_files.write(tmp_path / "data"), "files")
    weights = Weights("c", "xvlm", tmp_path / "c.th", tmp_path / "vocab.txt")
    return Run(RefCOCOPlus(), "val", data, weights, tmp_path / "runs", Speed(), sha256="ab")


@pytest.fixture(scope="module")
def model():
    weights = find_weights(SHAPES, task="refcoco+", data=None)
    return load_model(weights, needs=RefCOCOPlus.needs, device="cpu", dtype="float32")


def test_a_subset_is_drawn_by_the_sha256_of_the_ids():
    # sha256("4") = 4b2277..., "3" = 4e0740..., "1" = 6b86b2..., "2" = d4735e..., "6" = e7f6c0...,
    # "5" = ef2d12...
    samples = [Sample(number, ()) for number in (1, 2, 3, 4, 5, 6)]
    assert [sample.id for sample in subset(samples, 3)] == [1, 3, 4]
    assert [sample.id for sample in subset(samples[::-1], 3)] == [4, 3, 1]


def test_a_run_is_told_by_task_data_weights_vocabulary_and_settings(run, model):
    samples = run.task.load(run.data, "val")
    identity = identify(run, model, samples, total=3)
    # Names and places may change; the weights and what else makes up the model may not.
    assert identity["checkpoint"] == {"sha256": "ab", **model.provenance}
    assert {key: identity[key] for key in ("task", "task_version", "split", "n", "subset")} == {
        "task": "refcoco+", "task_version": 1, "split": "val", "n": 3, "subset": None,
    }  # fmt: skip
    assert identity["settings"] == {"dtype": "float32", "device": "cpu"}
    assert identity["software"].keys() == {"torch", "transformers", "numpy", "pillow"}
    path = run.data.root / "refcoco+" / "instances.json"
    path.write_text(json.dumps(refcoco_files.instances()) + " ")
    assert identify(run, model, samples, total=3)["data"] != identity["data"]


def test_what_a_model_is_made_of_tells_vocabularies_apart(tmp_path):
    digests = set()
    for name in ("a", "b"):
        path = write_checkpoint(tmp_path / name / "c.th")
        if name == "b":
            vocabulary = (path.parent / "vocab.txt").read_text()
            (path.parent / "vocab.txt").write_text(vocabulary.replace("red", "mad"))
        weights = find_weights(str(path), task="refcoco+", data=None)
        provenance = load_model(
            weights, needs=RefCOCOPlus.needs, device="cpu", dtype="float32"
        ).provenance
        assert provenance["text_heads"] == 1
        digests.add(provenance["vocabulary_sha256"])
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("predicted", "complaint"),
    [
        ([100, 101], "1 of 3 samples have no prediction, e.g. 102"),
        ([100, 101, 102, 7], r"predicts 1 samples that refcoco\+ val does not have, e.g. 7"),
    ],
)
def test_predictions_that_are_not_those_of_the_samples_are_not_scored(
    run, model, tmp_path, predicted, complaint
):
    samples = run.task.load(run.data, "val")
    identity = identify(run, model, samples, total=3)
    with open_predictions(tmp_path / "p.jsonl", identity, software={}) as file:
        file.append([(id, BOX) for id in predicted])
        with pytest.raises(DataError, match=complaint):
            make_record(run, samples, file, identity=identity)
