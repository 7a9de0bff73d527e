"""Flickr30K without tuning on it: the files of Flickr30K, the weights of COCO."""

import json
from types import SimpleNamespace

import pytest

from harness.checkpoints import PAPER, SHAPES, entries, find_weights
from harness.cli.main import main
from harness.errors import UsageError
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.support.predicting import model_of

TASK = find_task("flickr30k-retrieval-zero-shot")


def test_it_has_the_samples_of_flickr30k_and_no_lists_of_its_own():
    data, tuned = embedded_data(), find_task("flickr30k-retrieval")
    assert TASK.load(data, "val") == tuned.load(data, "val")
    assert TASK.files("test") == tuned.files("test")
    assert TASK.dataset is tuned.dataset and TASK.flat_lists({"val": ()}) == {}


@pytest.mark.parametrize("name", [PAPER, "albef-14m", "blip-base"])
def test_weights_tuned_on_flickr30k_are_never_taken(name, tmp_path, monkeypatch):
    entry = entries()[name]
    for release in entry.files.values():
        path = tmp_path / "checkpoints" / name / release.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "vocab.txt").touch()
    weights = find_weights(name, task=TASK.name, data=tmp_path, like=TASK.weights_of)
    assert weights.release == entry.files["coco-retrieval"]
    assert weights.release != entry.files["flickr30k-retrieval"]


def test_an_entry_without_weights_tuned_on_coco_is_refused():
    with pytest.raises(UsageError, match="albef-4m has no checkpoint for coco-retrieval"):
        find_weights("albef-4m", task=TASK.name, data=None, like=TASK.weights_of)


def test_the_protocol_says_what_the_model_was_tuned_on():
    dual = SimpleNamespace(protocol="itc|224px")
    assert TASK.protocol_of(dual) == "itc-only|k=128|karpathy|zero-shot|itc|224px"

    _, scorer = model_of(TASK.name, "cpu", "float32")
    assert TASK.protocol_of(scorer) == (
        "itm-only|k=128|karpathy|zero-shot, tuned on COCO|itc+itm|96px|bicubic|30-words|40-tokens"
    )


def test_a_run_has_a_record_of_its_own(tmp_path):
    run = ["run", "--task", TASK.name, "--split", "val", "--limit", "8", "--out", str(tmp_path)]
    assert main(run) == 0
    path = tmp_path / SHAPES / f"{TASK.name}.val.limit-8.json"
    record = json.loads(path.read_text())
    assert (record["task"], record["n"]) == ("flickr30k-retrieval-zero-shot", 8)
    assert record["protocol"].startswith("itm-only|k=128|karpathy|zero-shot, tuned on COCO|")
