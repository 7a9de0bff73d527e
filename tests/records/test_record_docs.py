"""docs/record.md describes every field that a run writes."""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.records.record import ResultRecord, Subset
from harness.records.sample_scores import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
BASELINES = ROOT / "results" / "xvlm-shapes"
RECORDS = sorted(BASELINES.glob("*.json"))
# Objects whose keys are not fields: names of metrics, kinds or files, and ids of samples.
MAPS = ("metrics", "intervals", "breakdown", "not_run", "data.files", "predictions.skipped")


def section(heading: str) -> str:
    """Return the text below a heading, up to the next one of any level."""
    return re.split(r"^#+ .*$", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def documented(heading: str) -> set[str]:
    """Return the names in the first column of the tables below a heading."""
    rows = re.findall(r"^\| (.*?) \|", section(heading), flags=re.M)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the fields of a JSON object, nested ones as `outer.inner`."""
    for key, inner in value.items():
        path = f"{prefix}{key}"
        if not isinstance(inner, dict) or path in MAPS or not inner:
            yield path
        else:
            yield from keys(inner, f"{path}.")


def test_every_field_of_a_record_is_in_the_table_and_no_other():
    assert documented("The record") == {field.name for field in fields(ResultRecord)}


def test_every_field_of_a_subset_is_documented():
    assert {f"subset.{field.name}" for field in fields(Subset)} <= documented("Nested fields")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_field_of_a_committed_record_is_documented(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert set(keys(record)) <= documented("The record") | documented("Nested fields")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_metric_and_breakdown_of_a_committed_record_is_documented(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    rows = [line.split("|")[1:4] for line in section("Metric names").splitlines() if line]
    ((_, metrics, breakdown),) = (row for row in rows if f"`{record['task']}`" in row[0])
    assert set(record["metrics"]) | set(record["not_run"]) <= set(re.findall(r"`(.+?)`", metrics))
    assert set(record["breakdown"]) <= set(re.findall(r"`(.+?)`", breakdown))


def test_every_key_of_the_header_of_a_prediction_file_is_documented():
    for path in BASELINES.glob("*.predictions.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            header = json.loads(file.readline())
        assert header.keys() <= documented("The prediction file")
        text = section("The prediction file")
        assert [key for key in header["identity"] if f"`{key}`" not in text] == []


def test_every_array_and_every_kind_of_statistic_is_documented():
    text = section("The sample scores")
    for path in BASELINES.glob("*.contributions.npz"):
        with np.load(path, allow_pickle=False) as file:
            names = {re.sub(r"^array\d+$", "array0", name) for name in file.files}
        assert names <= documented("The sample scores")
    for kind, statistic in KINDS.items():
        (row,) = re.findall(rf"^\| `{kind}` \|(.*)$", text, flags=re.M)
        assert {field.name for field in fields(statistic)} <= set(re.findall(r"`(\w+)`", row))


def test_the_example_of_the_page_counts_the_wrong_expressions(monkeypatch, capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    monkeypatch.chdir(ROOT)
    exec(compile(block, "docs/record.md", "exec"), {})
    record = json.loads((BASELINES / "refcoco+.val.json").read_text(encoding="utf-8"))
    wrong = round(record["n"] * (1 - record["metrics"]["accuracy"] / 100))
    assert capsys.readouterr().out.startswith(f"{wrong} of {record['n']} expressions are wrong")
