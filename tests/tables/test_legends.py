"""Long protocols and sources stand once below a table, and marks in it."""

import csv
import io
import json

import pytest

from harness.cli.main import main
from harness.rendering import Table
from harness.tables.legends import LONGEST, with_legends

LONG, OTHER = "p" * (LONGEST + 1), "q"
COLUMNS = {"name": "name", "protocol": "protocol"}


def test_a_mark_stands_for_one_text_in_all_tables():
    tables = [
        Table("one", [{"name": "a", "protocol": LONG}, {"name": "b", "protocol": OTHER}], COLUMNS),
        Table("two", [{"name": "c", "protocol": LONG}, {"name": "d"}], COLUMNS),
    ]
    one, two, legend = with_legends(tables, {"protocol": "p", "source": "s"})
    assert [row["protocol"] for row in one.rows] == ["p1", "p2"]
    assert [row.get("protocol") for row in two.rows] == ["p1", None]
    assert [(row["mark"], row["protocol"]) for row in legend.rows] == [("p1", LONG), ("p2", OTHER)]
    assert tables[0].rows[0]["protocol"] == LONG


def test_short_texts_stay_where_they_are():
    table = Table("one", [{"name": "a", "protocol": OTHER}], COLUMNS)
    assert with_legends([table], {"protocol": "p"}) == [table]


@pytest.mark.parametrize("layout", ["table2", "table3", "ovad"])
def test_the_tables_of_papers_are_at_most_120_characters_wide(layout, tmp_path, capsys):
    tmp_path.joinpath("runs").mkdir()
    assert main(["table", str(tmp_path / "runs"), "--layout", layout]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 120


def test_machines_get_the_texts_themselves(tmp_path, capsys):
    tmp_path.joinpath("runs").mkdir()
    table = ["table", str(tmp_path / "runs"), "--layout", "table2", "--format"]
    assert main([*table, "json"]) == main([*table, "csv"]) == 0
    text = capsys.readouterr().out
    rows, end = json.JSONDecoder().raw_decode(text)
    protocols = {row["protocol"] for row in rows["rows"]}
    assert "itm-only|k=256|karpathy|itc+itm|384px|bicubic|30-words|40-tokens" in protocols
    lines = list(csv.DictReader(io.StringIO(text[end:].strip())))
    assert {line["protocol"] for line in lines} == protocols
