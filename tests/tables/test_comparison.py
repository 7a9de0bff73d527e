"""The paper's table: its rows, and which records may fill them."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from harness.records.record import Subset
from harness.tables import comparison
from harness.tables.paper import Official
from tests.support.records import RECORD
from tests.tables.rows import (
    OWN_FILE,
    PAPER,
    accuracy,
    leaderboard,
    paper_rows,
    refcoco_rows,
)

LISTING = Path(__file__).parent / "paper_results.csv"  # as Papers With Code listed them


def test_the_rows_are_those_of_the_published_listing():
    with LISTING.open(newline="") as file:
        listed = [
            (row["task"], row["dataset"], row["metric"], row["value"], row["model"])
            for row in csv.DictReader(file)
        ]
    rows = PAPER.rows
    assert [(row.task, row.dataset, row.metric, row.value, row.model) for row in rows] == listed
    assert len(listed) == 53


def test_with_no_records_nothing_is_measured():
    rows = paper_rows()
    assert {row["measured"] for row in rows} == {None}
    assert {row["verdict"] for row in rows} == {"not run"}


WAITING = replace(
    RECORD,
    task="vqav2",
    split="test-dev",
    n=447793,
    protocol=PAPER.official["vqav2"].protocols[0],
    metrics={},
    intervals={},
    not_run={"accuracy": "the truths are hidden"},
)


def test_a_run_whose_truths_are_hidden_waits_for_the_server():
    verdicts = {row["dataset"]: row["verdict"] for row in paper_rows(WAITING)}
    assert verdicts.pop("VQA v2 test-dev") == "needs server"
    assert set(verdicts.values()) == {"not run"}
    waiting = leaderboard(WAITING)["x-vlm-base-16m", "vqav2", "test-dev", "accuracy"]
    assert (waiting["measured"], waiting["published"], waiting["verdict"]) == (
        None,
        78.22,
        "needs server",
    )


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (accuracy(84.6, 83.9, 85.1), "reproduced"),  # the paper prints 84.51
        # 10,758 samples: 1.96 x 100 x sqrt(0.002 / 10,758) = 0.085, and half a hundredth.
        (accuracy(84.415, 83.5, 84.6), "reproduced"),
        (accuracy(84.38, 83.5, 84.6), "off"),
        # The published number lies in the interval, which is about other samples.
        (accuracy(84.0, 83.5, 84.6), "off"),
        (accuracy(80.0, 79.0, 81.0), "off"),
        (accuracy(86.0, 85.0, 87.0), "off"),
    ],
)
def test_a_measured_row_has_its_difference_and_verdict(record, verdict):
    row = refcoco_rows(record)["RefCOCO+ val"]
    assert row["paper"] == 84.51
    assert row["measured"] == record.metrics["accuracy"]
    assert row["delta"] == pytest.approx(record.metrics["accuracy"] - 84.51)
    assert (row["verdict"], row["checkpoint"], row["n"]) == (verdict, "x-vlm-base-16m", 10758)
    assert row["protocol"] == RECORD.protocol


@pytest.mark.parametrize(
    ("value", "verdict"), [(97.0, "reproduced"), (96.8, "within run-to-run noise"), (96.2, "off")]
)
def test_the_verdict_is_about_what_may_differ_on_the_same_samples(value, verdict):
    """Of 1,000 images, the interval reaches from 95.9 to 98.0; two runs differ by 0.33 points."""
    record = replace(
        RECORD, task="flickr30k-retrieval", split="test", n=1000, metrics={"i2t_r1": value},
        intervals={"i2t_r1": (95.0, 98.0)},
        protocol=PAPER.official["flickr30k-retrieval"].protocols[0],
    )  # fmt: skip
    row, *_ = [
        row
        for row in paper_rows(record, checkpoint=RECORD.checkpoint["name"])
        if row["paper"] == 97.1 and row["measured"] is not None
    ]
    assert (row["paper"], row["verdict"]) == (97.1, verdict)


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, data={**RECORD.data, "name": "shapes"}),
        replace(RECORD, subset=Subset(limit=10758, total=20000)),
        replace(RECORD, n=10757),
        replace(RECORD, checkpoint=OWN_FILE),
        replace(RECORD, checkpoint={**OWN_FILE, "name": "x-vlm-base-16m"}),  # given by path
        replace(RECORD, checkpoint={**RECORD.checkpoint, "name": "xvlm-shapes"}),
        replace(RECORD, split="testA"),
        replace(RECORD, task="chess"),
        replace(RECORD, split="train"),
        replace(RECORD, task_version=2),
        replace(RECORD, protocol=RECORD.protocol.replace("384", "224")),
        replace(RECORD, settings={"dtype": "bfloat16", "device": "cpu"}),
        replace(RECORD, settings={}),
        replace(RECORD, metrics={"iou": 84.5}),
    ],
    ids=["embedded", "subset", "incomplete", "own file", "impostor", "another checkpoint",
         "another split's size", "unknown task", "unknown split", "another version",
         "another protocol", "16 bits", "unknown precision", "another metric"],
)  # fmt: skip
def test_what_is_not_the_papers_model_on_the_whole_split_fills_no_row(record):
    assert {row["measured"] for row in paper_rows(record)} == {None}


def test_one_result_fills_every_row_that_lists_it():
    official = {"flickr30k-retrieval": Official(version=1, protocols=("p",))}
    counts = {"flickr30k-retrieval": {"test": 1000}}
    paper = replace_struct(PAPER, official=official, counts=counts)
    metrics = {"i2t_r1": 97.0, "t2i_r1": 87.0}
    record = replace(
        RECORD,
        task="flickr30k-retrieval",
        split="test",
        n=1000,
        protocol="p",
        metrics=metrics,
        intervals={},
    )
    rows = comparison.paper_rows([record], paper)
    filled = [row for row in rows if row["measured"] is not None]
    assert len(filled) == 7  # R@1 of both directions under three tasks, and one way under a fourth
    assert {row["measured"] for row in filled} == {97.0, 87.0}
