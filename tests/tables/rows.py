"""Rows of the paper's table and of the leaderboard, filled from records."""

from dataclasses import replace

from harness.registry import official_counts
from harness.tables import comparison
from harness.tables.paper import read_paper
from tests.support.records import RECORD

PAPER = read_paper(official_counts())


def paper_rows(*records, **options):
    return comparison.paper_rows(records, PAPER, **options)


def refcoco_rows(*records, **options):
    rows = paper_rows(*records, **options)
    return {row["dataset"]: row for row in rows if row["dataset"].startswith("RefCOCO+")}


def accuracy(value, low, high, **changes):
    return replace(
        RECORD, metrics={"accuracy": value}, intervals={"accuracy": (low, high)}, **changes
    )


OWN_FILE = {**RECORD.checkpoint, "name": "mine", "registered": False}


def leaderboard(*records):
    return {
        (row["checkpoint"], row["task"], row["split"], row["metric"]): row
        for row in comparison.leaderboard_rows(records, PAPER)
    }


CAPTIONS_16M = replace(
    RECORD,
    task="coco-caption",
    split="test",
    n=5000,
    protocol=PAPER.official["coco-caption"].protocols[0],
    metrics={"bleu4": 41.0, "cider": 140.3},
    intervals={"bleu4": (40.9, 41.1), "cider": (140.0, 140.6)},
)
CAPTIONS_4M = replace(
    CAPTIONS_16M,
    checkpoint={**RECORD.checkpoint, "name": "x-vlm-base-4m"},
    metrics={"bleu4": 41.29, "cider": 139.0},
    intervals={"bleu4": (40.9, 41.6), "cider": (138.0, 140.0)},
)
