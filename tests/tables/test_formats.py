"""Tables as text: what came from data is escaped, and no digit is lost where it counts."""

import csv
import json
from dataclasses import replace

import pytest

from harness import rendering
from harness.tables import comparison, layouts
from tests.support.records import RECORD
from tests.tables.rows import (
    PAPER,
    paper_rows,
)

HOSTILE = replace(RECORD, data={**RECORD.data, "name": "shapes"}, protocol="<script>|a_b & 100%")


@pytest.mark.parametrize(
    ("format", "escaped"),
    [
        ("html", "&lt;script&gt;|a_b &amp; 100%"),
        ("latex", r"|a\_b \& 100\%"),
        ("md", r"&lt;script&gt;\|a_b &amp; 100%"),
    ],
)
def test_what_came_from_data_is_escaped(format, escaped):
    text = rendering.render(
        [
            rendering.Table(
                "Shapes", comparison.shapes_rows([HOSTILE], PAPER), layouts.SHAPES_COLUMNS
            )
        ],
        format,
    )
    assert escaped in text
    assert "<script>" not in text or format == "latex"


def test_csv_keeps_every_digit():
    record = replace(
        RECORD, data={**RECORD.data, "name": "shapes"}, metrics={"accuracy": 84.51234567890123}
    )
    text = rendering.render_csv(
        rendering.Table("Shapes", comparison.shapes_rows([record], PAPER), layouts.SHAPES_COLUMNS)
    )
    assert next(csv.DictReader(text.splitlines()))["measured"] == "84.51234567890123"


def test_json_is_null_where_nothing_was_measured():
    rows = json.loads(rendering.render_json({"rows": paper_rows(RECORD)}))["rows"]
    assert rows[0]["measured"] is None and rows[0]["delta"] is None
    assert {"task", "dataset", "metric", "paper", "measured", "delta", "verdict"} <= rows[0].keys()
