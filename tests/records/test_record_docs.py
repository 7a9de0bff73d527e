"""docs/record.md describes every field that a run writes."""

import gzip
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from harness.records.record import ResultRecord, Subset
from harness.records.sample_scores import KINDS
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tasks import TASKS
from tests.support.record_fields import (
    PAGE,
    documented,
    section,
    undocumented,
    undocumented_scores,
)

ROOT = Path(__file__).parents[2]
BASELINES = ROOT / "results" / "xvlm-shapes"
RECORDS = sorted(BASELINES.glob("*.json"))


def test_every_field_of_a_record_is_in_the_table_and_no_other():
    assert documented("The record") == {field.name for field in fields(ResultRecord)}


def test_every_field_of_a_subset_is_documented():
    assert {f"subset.{field.name}" for field in fields(Subset)} <= documented("Nested fields")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_field_and_metric_of_a_committed_record_is_documented(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert undocumented(record) == set()
    found = [*record["metrics"], *record["not_run"]]
    assert undocumented_scores(record["task"], metrics=found, breakdown=record["breakdown"]) == (
        set(),
        set(),
    )


@pytest.mark.parametrize("name", [name for name in TASKS if find_task(name).extra])
def test_every_metric_of_an_extra_task_is_documented(name):
    task = find_task(name)
    samples = task.load(embedded_data(), task.splits[0])
    scores = task.score(samples, {s.id: task.fallback_prediction(s) for s in samples})
    assert undocumented_scores(name, metrics=scores.metrics, breakdown=scores.breakdown) == (
        set(),
        set(),
    )


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
