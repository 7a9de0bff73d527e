"""Result records: written whole, read strictly."""

import json
import math
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


def changed(**changes):
    return json.dumps({**asdict(RECORD), **changes})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("{", "is not JSON"),
        ("[" * 100000, "is not JSON"),
        ("[]", "is no result record"),
        ("{}", "is no result record"),
        (json.dumps({"schema": 99}), "is a record of schema 99, this version reads 3"),
        (json.dumps({"schema": 3}), "has no 'task'"),
        (json.dumps(without("metrics")), "has no 'metrics'"),
        (json.dumps(without("subset")), "has no 'subset'"),
        (json.dumps(without("contributions")), "has no 'contributions'"),
        (changed(extra=1), "has the unknown key 'extra'"),
        (changed(n="10758"), "n should be a whole number, but is '10758'"),
        (changed(n=True), "n should be a whole number, but is true"),
        (changed(n=2**63), "n should be a whole number of 64 bits, but is 9223372036854775808"),
        (changed(metrics={"a": 1, "b": "84"}), "metrics.b should be a number, but is '84'"),
        (changed(metrics={"a": math.nan}), "metrics.a should be a finite number, but is NaN"),
        (
            changed(settings={"a": math.inf}),
            "settings.a should be a finite number, but is Infinity",
        ),
        (
            changed(metrics={"a": 0}).replace(": 0", ": 1e999"),
            "metrics.a should be a finite number",
        ),
        (
            changed(intervals={"a": [1, math.nan]}),
            "intervals.a[1] should be a finite number, but is NaN",
        ),
        (changed(metrics={"a": 10**400}), "metrics.a should be a finite number"),
        (changed(metrics=[1]), "metrics should be an object, but is [1]"),
        (changed(intervals={"a": [1]}), "intervals.a should have 2 items, but is [1]"),
        (changed(breakdown={"a": {"b": None}}), "breakdown.a.b should be a number, but is null"),
        (changed(checkpoint={}), "checkpoint: has no 'name'"),
        (changed(data={"name": 3}), "data: name should be a string, but is 3"),
        (changed(subset={"limit": 1}), "subset: has no 'total'"),
        (changed(subset={"limit": 1, "total": 2, "n": 3}), "subset: has the unknown key 'n'"),
        (changed(subset=5), "subset should be an object or null, but is 5"),
    ],
)
def test_anything_but_a_record_is_refused_with_the_file_and_the_key(tmp_path, content, problem):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError) as caught:
        read_record(tmp_path / "r.json")
    assert str(caught.value).startswith(f"{tmp_path / 'r.json'}: {problem}")
