"""Result records: written whole, read strictly."""

import json
from dataclasses import asdict, replace

import pytest

from harness.errors import DataError
from harness.results import ResultRecord, Subset, find_records, read_record, record_path, write_record

RECORD = ResultRecord(
    schema=1,
    task="refcoco+",
    task_version=1,
    split="val",
    n=10758,
    subset=None,
    protocol="iou>=0.5|per-expression|bbox|384px|bicubic|30-words",
    metrics={"accuracy": 84.5},
    intervals={"accuracy": (83.5, 85.5)},
    checkpoint={"name": "x-vlm-base-16m", "registered": True, "file": "checkpoint_best.pth", "sha256": "ab"},
    data={"name": "files", "sha256": "cd", "files": {}},
    settings={"dtype": "float32", "device": "cpu"},
    predictions={"file": "refcoco+.val.predictions.jsonl", "sha256": "ef"},
    software={"torch": "2.13.0"},
)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    for record in (RECORD, replace(RECORD, subset=Subset(limit=5, total=10))):
        write_record(tmp_path / "a" / "r.json", record)
        assert read_record(tmp_path / "a" / "r.json") == record


def test_a_record_lies_under_its_checkpoint_and_a_subset_beside_it(tmp_path):
    place = {"checkpoint": "c", "task": "refcoco+", "split": "val"}
    assert record_path(tmp_path, **place) == tmp_path / "c" / "refcoco+.val.json"
    assert record_path(tmp_path, **place, limit=20) == tmp_path / "c" / "refcoco+.val.limit-20.json"


def test_timings_are_not_taken_for_records(tmp_path):
    write_record(tmp_path / "c" / "refcoco+.val.json", RECORD)
    (tmp_path / "c" / "refcoco+.val.timings.json").write_text("{}")
    assert [path.name for path in find_records(tmp_path)] == ["refcoco+.val.json"]


def without(key):
    return {name: value for name, value in asdict(RECORD).items() if name != key}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100000, "cannot be read"),
        ("[]", "is no result record"),
        ("{}", "is no result record"),
        (json.dumps({"schema": 99}), "schema 99"),
        (json.dumps(without("metrics")), "lacks"),
        (json.dumps({**asdict(RECORD), "extra": 1}), "too many"),
        (json.dumps({**asdict(RECORD), "metrics": {"accuracy": "84"}}), "not a finite number"),
        (json.dumps({**asdict(RECORD), "metrics": {"accuracy": float("nan")}}), "not a finite number"),
        (json.dumps({**asdict(RECORD), "metrics": [1]}), "'metrics'"),
        (json.dumps({**asdict(RECORD), "intervals": {"accuracy": [1]}}), "not a finite number"),
        (json.dumps({**asdict(RECORD), "checkpoint": {}}), "does not name"),
        (json.dumps({**asdict(RECORD), "subset": {"limit": 1}}), "'subset'"),
    ],
)
def test_what_is_no_record_is_refused_with_the_reason(tmp_path, content, complaint):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError, match=complaint):
        read_record(tmp_path / "r.json")
