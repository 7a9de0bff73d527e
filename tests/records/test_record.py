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
    assert find_records(tmp_path) == ([RECORD], [], [], [])


RECEIPT = {"date": "2026-02-01", "url": "https://a.b", "submission_sha256": "ab"}


def test_numbers_that_are_no_percentages_and_rounded_ones_are_read(tmp_path):
    metrics = {"cider": 812.5, "perplexity": -3.0, "accuracy": 100.00000000000001}
    content = changed(metrics=metrics, intervals={"accuracy": [100.0, 99.99999999999999]})
    (tmp_path / "r.json").write_text(content)
    assert read_record(tmp_path / "r.json").metrics == metrics


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
        ("[]", "is not a result record"),
        ("{}", "is not a result record"),
        (
            json.dumps({"schema": 99}),
            "is a record of schema 99, this version reads 3; update xvlm-eval",
        ),
        (
            json.dumps({"schema": 2}),
            "is a record of schema 2, this version reads 3; run the same command again",
        ),
        (json.dumps({"schema": 3}), "has no 'task'"),
        (json.dumps(without("metrics")), "has no 'metrics'"),
        (json.dumps(without("subset")), "has no 'subset'"),
        (json.dumps(without("contributions")), "has no 'contributions'"),
        (changed(extra=1), "has the unknown key 'extra'"),
        (changed(n="10758"), "n should be a whole number, but is '10758'"),
        (changed(n=True), "n should be a whole number, but is true"),
        (changed(n=-5), "n should be a whole number >= 1, but is -5"),
        (changed(n=0), "n should be a whole number >= 1, but is 0"),
        (changed(n=10.5), "n should be a whole number, but is 10.5"),
        (changed(subset={"limit": 0, "total": 5}), "subset.limit should be a whole number >= 1"),
        (changed(metrics={"accuracy": -3}), "metrics.accuracy should be in percent, but is -3"),
        (changed(metrics={"map_tail": 101}), "metrics.map_tail should be in percent, but is 101"),
        (
            changed(intervals={"accuracy": [85.5, 83.5]}),
            "intervals.accuracy should be [low, high], but is [85.5, 83.5]",
        ),
        (changed(intervals={"iou": [1, 2]}), "intervals.iou has no metric of its name"),
        (
            changed(predictions={"receipt": {**RECEIPT, "date": "01.02.2026"}}),
            "predictions.receipt.date should be a date like 2026-01-31, but is '01.02.2026'",
        ),
        (
            changed(predictions={"receipt": {**RECEIPT, "date": "9999-12-31"}}),
            "predictions.receipt.date lies in the future: 9999-12-31",
        ),
        (changed(predictions={"receipt": 7}), "predictions: receipt should be an object"),
        (
            changed(predictions={"batch_size_halved_to": -1}),
            "predictions: batch_size_halved_to should be a whole number >= 1, but is -1",
        ),
        (changed(software={"batch_size": 0}), "software: batch_size should be a whole number >= 1"),
        (changed(inputs={"samples": "8"}), "inputs: samples should be a whole number"),
        (changed(contributions={"sha256": 5}), "contributions: sha256 should be a string"),
        (changed(data={"name": "files", "files": ["a"]}), "data: files should be an object"),
        (changed(checkpoint={"name": "m", "registered": 1}), "checkpoint: registered should be"),
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
