"""The paper's table: its rows, and which records may fill them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness import report, table
from harness.results import Subset
from tests.test_results import RECORD

LISTING = Path(__file__).parent.parent.parent / "shared" / "data" / "paper_results.csv"


def refcoco_rows(records, **options):
    rows = table.paper_rows(records, **options)
    return {row["dataset"]: row for row in rows if row["dataset"].startswith("RefCOCO+")}


def accuracy(value, low, high, **changes):
    return replace(RECORD, metrics={"accuracy": value}, intervals={"accuracy": (low, high)}, **changes)


@pytest.mark.skipif(not LISTING.is_file(), reason="the published listing lies beside the project, not in it")
def test_the_rows_are_those_of_the_published_listing():
    with LISTING.open(newline="") as file:
        listed = [(row["task"], row["dataset"], row["metric"], row["value"], row["model"]) for row in csv.DictReader(file)]
    rows = table.paper().rows
    assert [(row.task, row.dataset, row.metric, row.value, row.model) for row in rows] == listed


def test_there_are_53_rows_and_with_no_records_none_is_measured():
    rows = table.paper_rows([])
    assert len(rows) == 53
    assert {row["measured"] for row in rows} == {None}
    assert {row["verdict"] for row in rows if row["dataset"] == "VQA v2 test-dev"} == {"needs server"}
    assert {row["verdict"] for row in rows if row["dataset"] != "VQA v2 test-dev"} == {"not run"}


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (accuracy(84.6, 83.9, 85.1), "reproduced"),  # the paper prints 84.51
        (accuracy(84.0, 83.5, 84.6), "within confidence interval"),
        (accuracy(80.0, 79.0, 81.0), "off"),
        (accuracy(86.0, 85.0, 87.0), "off"),
    ],
)
def test_a_measured_row_has_its_difference_and_verdict(record, verdict):
    row = refcoco_rows([record])["RefCOCO+ val"]
    assert row["paper"] == 84.51
    assert row["measured"] == record.metrics["accuracy"]
    assert row["delta"] == pytest.approx(record.metrics["accuracy"] - 84.51)
    assert (row["verdict"], row["checkpoint"], row["n"]) == (verdict, "x-vlm-base-16m", 10758)
    assert row["protocol"] == RECORD.protocol


OWN_FILE = {**RECORD.checkpoint, "name": "mine", "registered": False}


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, data={**RECORD.data, "name": "shapes"}),
        replace(RECORD, subset=Subset(limit=10758, total=20000)),
        replace(RECORD, n=10757),
        replace(RECORD, checkpoint=OWN_FILE),
        replace(RECORD, checkpoint={**OWN_FILE, "name": "x-vlm-base-16m"}),  # a file of that name, given by path
        replace(RECORD, checkpoint={**RECORD.checkpoint, "name": "xvlm-shapes"}),
        replace(RECORD, split="testA"),
    ],
    ids=["embedded", "subset", "incomplete", "own file", "impostor", "another checkpoint", "another split's size"],
)
def test_what_is_not_the_papers_model_on_the_whole_split_fills_no_row(record):
    assert {row["measured"] for row in table.paper_rows([record])} == {None}


def test_another_checkpoint_fills_the_rows_when_it_is_asked_for():
    row = refcoco_rows([replace(RECORD, checkpoint=OWN_FILE)], checkpoint="mine")["RefCOCO+ val"]
    assert (row["measured"], row["checkpoint"]) == (84.5, "mine")


def test_one_result_fills_every_row_that_lists_it():
    metrics = {"i2t_r1": 97.0, "t2i_r1": 87.0}
    record = replace(RECORD, task="flickr30k-retrieval", split="test", n=1000, metrics=metrics, intervals={})
    filled = [row for row in table.paper_rows([record]) if row["measured"] is not None]
    assert len(filled) == 7  # R@1 of both directions under three tasks, and one way under a fourth
    assert {row["measured"] for row in filled} == {97.0, 87.0}


def test_the_leaderboard_sets_measured_beside_published_and_says_what_is_not_run():
    rows = {(row["checkpoint"], row["task"], row["split"], row["metric"]): row for row in table.leaderboard_rows([RECORD])}
    measured = rows["x-vlm-base-16m", "refcoco+", "val", "accuracy"]
    assert (measured["measured"], measured["published"], measured["verdict"]) == (84.5, 84.51, "reproduced")
    assert rows["x-vlm-base-16m", "refcoco+", "testA", "accuracy"]["verdict"] == "not run"
    assert rows["x-vlm-base-4m", "ovad", "box", "map"]["published"] == 25.9


def test_embedded_results_have_a_table_of_their_own():
    embedded = replace(RECORD, data={**RECORD.data, "name": "shapes"})
    assert [row["measured"] for row in table.shapes_rows([embedded, RECORD])] == [84.5]
    assert all(row["measured"] is None for row in table.leaderboard_rows([embedded]))


def test_what_no_table_shows_is_said():
    records = [replace(RECORD, subset=Subset(limit=5, total=9)), replace(RECORD, n=7), RECORD]
    assert table.left_out(records) == [
        "x-vlm-base-16m refcoco+ val: a subset of 5 of 9, not a result",
        "x-vlm-base-16m refcoco+ val: 7 samples, the official split has 10758",
    ]


HOSTILE = replace(RECORD, data={**RECORD.data, "name": "shapes"}, protocol="<script>|a_b & 100%")


@pytest.mark.parametrize(
    ("format", "escaped"),
    [("html", "&lt;script&gt;|a_b &amp; 100%"), ("latex", r"|a\_b \& 100\%"), ("md", r"<script>\|a_b")],
)
def test_what_came_from_data_is_escaped(format, escaped):
    shown = report.render([report.Table("shapes", "Shapes", table.shapes_rows([HOSTILE]), report.SHAPES_COLUMNS)], format)
    assert escaped in shown
    assert "<script>" not in shown or format != "html"


def test_csv_keeps_every_digit():
    record = replace(RECORD, data={**RECORD.data, "name": "shapes"}, metrics={"accuracy": 84.51234567890123})
    shown = report.render([report.Table("shapes", "Shapes", table.shapes_rows([record]), report.SHAPES_COLUMNS)], "csv")
    assert next(csv.DictReader(shown.splitlines()))["measured"] == "84.51234567890123"


def test_json_is_null_where_nothing_was_measured():
    rows = json.loads(report.render_json({"rows": table.paper_rows([RECORD])}))["rows"]
    assert rows[0]["measured"] is None and rows[0]["delta"] is None
    assert {"task", "dataset", "metric", "paper", "measured", "delta", "verdict"} <= rows[0].keys()
