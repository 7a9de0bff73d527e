"""A whole run of the embedded benchmark: what its results are, and what they say."""

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.formats.folder import sha256_of
from harness.records.stored import find_results
from tests.support.results import records

ROOT = Path(__file__).parents[2]
FLOORS = {  # metrics that the embedded model must reach on unseen scenes, in percent
    "vqav2.val": {"accuracy": 65.0},
    "nlvr2.dev": {"accuracy": 65.0},
    "nlvr2.test": {"accuracy": 65.0},
    "coco-caption.test": {"cider": 80.0},
    "coco-retrieval.test": {"i2t_r1": 25.0, "t2i_r1": 25.0},
    "flickr30k-retrieval.test": {"i2t_r1": 25.0, "t2i_r1": 25.0},
    "refcoco+.val": {"accuracy": 70.0},
    "refcoco+.testA": {"accuracy": 70.0},
    "refcoco+.testB": {"accuracy": 70.0},
}


def test_the_embedded_model_has_learnt_every_task(finished):
    found = records(finished, "*")
    for name, floors in FLOORS.items():
        for metric, floor in floors.items():
            assert found[name]["metrics"][metric] >= floor, (name, metric)
    attributes = found["ovad.box"]["metrics"]
    assert attributes["map"] >= 2 * attributes["chance"]


def test_hidden_truths_end_in_files_to_upload(finished):
    for split in ("test-dev", "test"):
        upload = json.loads(
            (finished / "xvlm-shapes" / f"vqav2.{split}.submission.json").read_text()
        )
        assert len(upload) == len({entry["question_id"] for entry in upload}) == 100
        record = records(finished, "vqav2")[f"vqav2.{split}"]
        assert record["metrics"] == {} and "eval.ai" in record["not_run"]["accuracy"]


def test_the_committed_baselines_are_what_a_run_gives(finished):
    """Renew them, with the reason in the commit, where a change is meant to move a number."""
    found = records(finished, "*")
    committed = {
        path.stem: json.loads(path.read_text())
        for path in (ROOT / "results" / "xvlm-shapes").glob("*.json")
    }
    assert committed.keys() == found.keys()
    for name, record in committed.items():
        assert record["metrics"] == pytest.approx(found[name]["metrics"], abs=1.0), name
        assert (record["protocol"], record["n"], record["data"]) == (
            found[name]["protocol"],
            found[name]["n"],
            found[name]["data"],
        )


def test_the_committed_baselines_are_whole_and_small():
    """Records, contributions and compressed predictions, each of them what its record says."""
    results = find_results(ROOT / "results")
    assert results.rejected == () and len(results.results) == 15
    for result in results.results:
        assert result.sample_scores.ids and len(result.predictions) == result.record.n == len(
            result.sample_scores.ids
        )
    assert (
        sum(path.stat().st_size for path in (ROOT / "results" / "xvlm-shapes").iterdir())
        < 3 * 2**20
    )


def test_a_run_passes_the_gate_and_every_metric_has_an_interval(finished, capsys):
    capsys.readouterr()
    assert main(["check", str(finished), "--require-all", "--format", "json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["verdict"] for cell in cells} <= {"identical", "same", "improved"}
    assert len(cells) >= 67
    for record in records(finished, "*").values():
        assert record["metrics"].keys() == record["intervals"].keys()


def test_a_record_says_what_determined_it(finished):
    record = records(finished)["refcoco+.val"]
    assert (record["task"], record["split"], record["data"]["name"]) == (
        "refcoco+",
        "val",
        "shapes",
    )
    checkpoint = record["checkpoint"]
    assert (checkpoint["name"], checkpoint["registered"], checkpoint["text_heads"]) == (
        "xvlm-shapes",
        True,
        2,
    )
    assert len(checkpoint["sha256"]) == len(checkpoint["vocabulary_sha256"]) == 64
    assert record["predictions"]["sha256"] == sha256_of(
        finished / "xvlm-shapes" / record["predictions"]["file"]
    )
    assert set(record["data"]["files"]) == {"refcoco+/refs(unc).p", "refcoco+/instances.json"}
    assert record["settings"] == {"dtype": "float32", "device": record["settings"]["device"]}
    assert record["protocol"] == "iou>=0.5|per-expression|bbox|96px|bicubic|30-words"
    low, high = record["intervals"]["accuracy"]
    assert low < record["metrics"]["accuracy"] < high
