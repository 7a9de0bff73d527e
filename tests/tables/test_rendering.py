"""Rows as text in every format: what people read is rounded, what machines read is exact."""

import csv
import html
import re

from harness.rendering import Table, render, render_csv
from tests.support.loaded import loaded_after

COLUMNS = {"name": "name", "measured": "measured", "delta": "delta", "interval": "95 % interval"}
ROWS = [
    {"name": "a|b, \"<i>\"\nc", "measured": 84.51234567890123, "delta": 0.5,
     "interval": (83.5, 85.5)},
    {"name": "d_e & 100%", "measured": None, "delta": None, "interval": None},
]  # fmt: skip
TABLE = Table("Numbers <1>", ROWS, COLUMNS)


def test_csv_keeps_every_digit_and_leaves_out_what_is_missing():
    assert list(csv.reader(render_csv(TABLE).splitlines(keepends=True))) == [
        list(COLUMNS.values()),
        ['a|b, "<i>"\nc', "84.51234567890123", "0.5", "83.5 85.5"],
        ["d_e & 100%", "", "", ""],
    ]


def test_markdown_escapes_what_would_end_a_cell():
    assert render([TABLE], "md") == (
        "### Numbers <1>\n\n"
        "| name                |   measured |   delta | 95 % interval   |\n"
        "|:--------------------|-----------:|--------:|:----------------|\n"
        '| a\\|b, "&lt;i&gt;" c |      84.51 |   +0.50 | 83.50 to 85.50  |\n'
        "| d_e &amp; 100%      |          – |       – | –               |"
    )


def test_html_escapes_its_cells_and_its_title():
    text = render([TABLE], "html")
    assert text.startswith("<h3>Numbers &lt;1&gt;</h3>\n<table>")
    cells = re.findall(r"<td(?: [^>]*)?>(.*?)</td>", text, re.DOTALL)
    assert [html.unescape(cell).strip() for cell in cells] == [
        'a|b, "<i>"\nc', "84.51", "+0.50", "83.50 to 85.50", "d_e & 100%", "–", "–", "–",
    ]  # fmt: skip
    assert "<i>" not in text


def test_latex_escapes_its_cells():
    assert r"d\_e \& 100\%" in render([TABLE], "latex")


def test_a_table_without_rows_has_the_column_of_what_was_not_measured():
    assert render([Table("Empty", [], COLUMNS)], "terminal") == "Empty\nmeasured\n----------"
    assert render_csv(Table("Empty", [], COLUMNS)) == "name,measured,delta,95 % interval"


def test_a_table_is_printed_without_pandas():
    formats = ("terminal", "md", "csv", "html", "json")
    tables = [["table", "--format", format] for format in formats]
    for format, loaded in zip(formats, loaded_after(*tables), strict=True):
        assert "pandas" not in loaded, format


def test_a_title_of_several_lines_stays_in_its_comment_of_latex():
    table = Table("protocol x\n\\input{y}", [{"a": 1.0}], {"a": "a"})
    assert render([table], "latex").splitlines()[0] == "% protocol x \\input{y}"
