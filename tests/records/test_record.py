"""Result records: written whole, read strictly."""

import json
from dataclasses import asdict, replace

import pytest

from harness.errors import DataError
from harness.records.record import Subset, find_records, read_record, write_record
from tests.support.records import RECORD


def test_a_record_comes_back_as_it_was_written(tmp_path):
    for record in (RECORD, replace(RECORD, subset=Subset(limit=5, total=10))):
        write_record(tmp_path / "a" / "r.json", record)
        assert read_record(tmp_path / "a" / "r.json") == record


def test_a_record_lies_under_its_checkpoint_and_a_subset_beside_it(tmp_path):
    assert RECORD.path(tmp_path) == tmp_path / "x-vlm-base-16m" / "refcoco+.val.json"
    part = replace(RECORD, subset=Subset(limit=20, total=90))
    assert part.path(tmp_path) == tmp_path / "x-vlm-base-16m" / "refcoco+.val.limit-20.json"


def test_timings_and_files_half_written_are_not_taken_for_records(tmp_path):
    write_record(RECORD.path(tmp_path), RECORD)
    for name in ("refcoco+.val.timings.json", ".refcoco+.val.json.77"):
        RECORD.path(tmp_path).with_name(name).write_text("{")
    assert find_records(tmp_path) == ([RECORD], [], [])


def without(key):
    return {name: value for name, value in asdict(RECORD).items() if name != key}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        ("{", "not JSON"),
        ("[" * 100000, "not JSON"),
        ("[]", "is no result record"),
        ("{}", "is no result record"),
        (json.dumps({"schema": 99}), "schema 99"),
        (json.dumps(without("metrics")), "has no 'metrics'"),
        (json.dumps(without("subset")), "has no 'subset'"),
        (json.dumps({**asdict(RECORD), "extra": 1}), "'extra', which does not belong there"),
        (json.dumps({**asdict(RECORD), "n": "10758"}), "'n' should be a whole number"),
        (
            json.dumps({**asdict(RECORD), "metrics": {"accuracy": "84"}}),
            "'accuracy' should be a number",
        ),
        (
            json.dumps({**asdict(RECORD), "metrics": {"accuracy": float("nan")}}),
            "'accuracy' should be a number",
        ),
        (json.dumps({**asdict(RECORD), "metrics": [1]}), "'metrics'"),
        (json.dumps({**asdict(RECORD), "intervals": {"accuracy": [1]}}), "should be 2 numbers"),
        (json.dumps({**asdict(RECORD), "checkpoint": {}}), "'checkpoint': has no 'name'"),
        (json.dumps({**asdict(RECORD), "data": {"name": 3}}), "'data': 'name' should be a string"),
        (json.dumps({**asdict(RECORD), "subset": {"limit": 1}}), "'subset': has no 'total'"),
    ],
)
def test_what_is_no_record_is_refused_with_the_reason(tmp_path, content, complaint):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError, match=complaint):
        read_record(tmp_path / "r.json")
