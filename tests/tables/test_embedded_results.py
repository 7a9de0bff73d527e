"""Tables of a whole run of the embedded benchmark, beside the paper's rows."""

import json

import pytest

from harness.cli.main import main


def test_the_table_shows_the_embedded_results_apart_and_the_papers_rows_unfilled(finished, capsys):
    assert main(["table", str(finished), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["rows"]) == 53
    assert {row["measured"] for row in shown["rows"]} == {None}
    assert {row["verdict"] for row in shown["rows"]} == {"not run"}
    grounding = [row for row in shown["shapes"] if row["task"] == "refcoco+"]
    assert [row["split"] for row in grounding] == ["val", "testA", "testB"]
    assert len({row["task"] for row in shown["shapes"]}) == 7


@pytest.mark.parametrize(
    ("layout", "words"), [("paper", "84.51"), ("leaderboard", "84.51"), ("shapes", "xvlm-shapes")]
)
@pytest.mark.parametrize("format", ["terminal", "md", "csv", "latex", "html", "json"])
def test_every_layout_is_shown_in_every_format(finished, capsys, layout, words, format):
    assert main(["table", "--out", str(finished), "--layout", layout, "--format", format]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(("layout", "rows"), [("paper", 53), ("shapes", None)])
def test_csv_is_one_table_and_says_where_the_other_is(finished, capsys, layout, rows):
    assert main(["table", str(finished), "--layout", layout, "--format", "csv"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert "measured" in lines[0] and (rows is None or len(lines) == 1 + rows)
    assert ("--layout shapes" in shown.err) == (layout == "paper")


def test_the_suite_of_shapes_is_a_layout_of_its_own(finished, capsys):
    assert main(["table", str(finished), "--suite", "shapes", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["layout"] == "shapes" and shown["rows"] == shown["shapes"] != []
