"""The paper's table: its rows, and which records may fill them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness import rendering
from harness.errors import DataError, UsageError
from harness.records.record import Subset, find_records, write_record
from harness.tables import comparison as table
from harness.tables import layouts, paper
from tests.support.records import RECORD

LISTING = Path(__file__).parent / "paper_results.csv"  # as Papers With Code listed them


def refcoco_rows(records, **options):
    rows = table.paper_rows(records, **options)
    return {row["dataset"]: row for row in rows if row["dataset"].startswith("RefCOCO+")}


def accuracy(value, low, high, **changes):
    return replace(
        RECORD, metrics={"accuracy": value}, intervals={"accuracy": (low, high)}, **changes
    )


def test_the_rows_are_those_of_the_published_listing():
    with LISTING.open(newline="") as file:
        listed = [
            (row["task"], row["dataset"], row["metric"], row["value"], row["model"])
            for row in csv.DictReader(file)
        ]
    rows = paper.paper().rows
    assert [(row.task, row.dataset, row.metric, row.value, row.model) for row in rows] == listed
    assert len(listed) == 53


def test_with_no_records_nothing_is_measured():
    rows = table.paper_rows([])
    assert {row["measured"] for row in rows} == {None}
    assert {row["verdict"] for row in rows} == {"not run"}


WAITING = replace(
    RECORD,
    task="vqav2",
    split="test-dev",
    n=447793,
    protocol=paper.paper().official["vqav2"].protocols[0],
    metrics={},
    intervals={},
    not_run={"accuracy": "the truths are hidden"},
)


def test_a_run_whose_truths_are_hidden_waits_for_the_server():
    verdicts = {row["dataset"]: row["verdict"] for row in table.paper_rows([WAITING])}
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
        replace(RECORD, task="chess"),
        replace(RECORD, split="train"),
        replace(RECORD, task_version=2),
        replace(RECORD, protocol=RECORD.protocol.replace("384", "224")),
        replace(RECORD, settings={"dtype": "bfloat16", "device": "cpu"}),
        replace(RECORD, settings={}),
        replace(RECORD, metrics={"iou": 84.5}),
    ],
    ids=["embedded", "subset", "incomplete", "own file", "impostor", "another checkpoint", "another split's size", "unknown task",
         "unknown split", "another version", "another protocol", "16 bits", "unknown precision", "another metric"],
)  # fmt: skip
def test_what_is_not_the_papers_model_on_the_whole_split_fills_no_row(record):
    assert {row["measured"] for row in table.paper_rows([record])} == {None}


@pytest.mark.parametrize("name", ["mine", "MINE", "m_i-ne"])
def test_another_checkpoint_fills_the_rows_when_it_is_asked_for(name):
    row = refcoco_rows([replace(RECORD, checkpoint=OWN_FILE)], checkpoint=name)["RefCOCO+ val"]
    assert (row["measured"], row["checkpoint"]) == (84.5, "mine (file)")


def test_a_checkpoint_that_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean x-vlm-base"):
        table.paper_rows([RECORD], checkpoint="x-vlm-bass")


def test_one_result_fills_every_row_that_lists_it(monkeypatch):
    official = {
        "flickr30k-retrieval": paper.Official(version=1, protocols=("p",), n={"test": (1000, 1000)})
    }
    monkeypatch.setattr(table, "paper", lambda: replace(paper.paper(), official=official))
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
    filled = [row for row in table.paper_rows([record]) if row["measured"] is not None]
    assert len(filled) == 7  # R@1 of both directions under three tasks, and one way under a fourth
    assert {row["measured"] for row in filled} == {97.0, 87.0}


def leaderboard(*records):
    return {
        (row["checkpoint"], row["task"], row["split"], row["metric"]): row
        for row in table.leaderboard_rows(records)
    }


def test_the_leaderboard_sets_measured_beside_published_and_says_what_is_not_run():
    rows = leaderboard(RECORD)
    measured = rows["x-vlm-base-16m", "refcoco+", "val", "accuracy"]
    assert (measured["measured"], measured["published"], measured["verdict"]) == (
        84.5,
        84.51,
        "reproduced",
    )
    assert rows["x-vlm-base-16m", "refcoco+", "testA", "accuracy"]["verdict"] == "not run"
    assert rows["x-vlm-base-4m", "ovad", "box", "map"]["published"] == 25.9
    shown = rendering.render(layouts.leaderboard(list(rows.values())), "md")
    assert (
        "84.50 (84.51, -0.01)" in shown
        and "not run (89.00)" in shown
        and "not run (78.22)" in shown
    )


def test_a_file_that_is_called_like_a_released_model_is_not_set_beside_its_numbers():
    rows = leaderboard(replace(RECORD, checkpoint={**OWN_FILE, "name": "x-vlm-base-16m"}))
    assert rows["x-vlm-base-16m (file)", "refcoco+", "val", "accuracy"]["published"] is None
    assert rows["x-vlm-base-16m", "refcoco+", "val", "accuracy"]["measured"] is None


def test_protocols_are_not_ranked_together():
    other = replace(RECORD, checkpoint=OWN_FILE, protocol=RECORD.protocol.replace("384", "224"))
    boards = layouts.leaderboard(table.leaderboard_rows([RECORD, other]))
    refcoco = {
        board.title.partition(", protocol ")[2]: [row["checkpoint"] for row in board.rows]
        for board in boards
        if "refcoco" in board.title
    }
    assert refcoco == {other.protocol: ["mine (file)"], RECORD.protocol: ["x-vlm-base-16m"]}


def test_splits_stand_in_their_own_order_and_numbers_in_theirs():
    rows = [row for row in table.leaderboard_rows([]) if row["checkpoint"] == "x-vlm-base-16m"]
    assert [row["split"] for row in rows if row["task"] == "refcoco+"] == ["val", "testA", "testB"]
    recalls = [row["metric"] for row in rows if row["task"] == "coco-retrieval"]
    assert recalls == ["i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10"]
    assert [row["task"] for row in rows][:2] == ["vqav2", "nlvr2"]


def test_embedded_results_have_a_table_of_their_own():
    embedded = replace(RECORD, data={**RECORD.data, "name": "shapes"})
    assert [row["measured"] for row in table.shapes_rows([embedded, RECORD])] == [84.5]
    assert all(row["measured"] is None for row in table.leaderboard_rows([embedded]))


def test_what_no_table_shows_is_said():
    records = [
        replace(RECORD, subset=Subset(limit=5, total=9)),
        replace(RECORD, n=7),
        replace(
            RECORD, predictions={**RECORD.predictions, "skipped": {"3": "broken", "4": "broken"}}
        ),
        replace(RECORD, task_version=2),
        replace(RECORD, settings={"dtype": "float16"}),
        replace(RECORD, task="chess"),
        RECORD,
    ]
    assert table.objections(records) == [
        "x-vlm-base-16m refcoco+ val: a subset of 5 of 9, not a result",
        "x-vlm-base-16m refcoco+ val: 7 samples, the official split has 10758",
        "x-vlm-base-16m refcoco+ val: 2 samples were skipped, as their images cannot be read; get them again, and run it with --fresh",
        "x-vlm-base-16m refcoco+ val: version 2 of the task, the table holds version 1",
        "x-vlm-base-16m refcoco+ val: computed in float16, the table holds float32 and tf32",
        "x-vlm-base-16m chess val: no published number is known for this task and split",
    ]


def test_what_fills_no_row_of_the_paper_is_said_with_how_to_see_it():
    records = [replace(RECORD, checkpoint=OWN_FILE), replace(RECORD, protocol="p"), RECORD]
    assert table.passed_over(records) == [
        "mine (file) refcoco+ val: not the paper's checkpoint; `xvlm-eval table --checkpoint mine` fills the rows with it",
        f"x-vlm-base-16m refcoco+ val: measured by the protocol p, the paper's is {RECORD.protocol}",
    ]


def test_a_copy_of_a_record_is_no_second_result(tmp_path):
    write_record(RECORD.path(tmp_path), RECORD)
    write_record(tmp_path / "elsewhere" / "refcoco+.val.json", RECORD)
    found = find_records(tmp_path)
    assert found.records == [RECORD]
    assert len(found.misplaced) == 1 and "elsewhere" in found.misplaced[0]


@pytest.mark.parametrize(
    "change",
    [
        "source: 3",
        "rows: []",
        "official: {t: {}}",
        "extra: 1",
        "tolerance: much",
        "needs_server: {t: a}",
    ],
)
def test_what_is_no_papers_table_is_refused(tmp_path, change):
    key = change.partition(":")[0]
    lines = (Path(__file__).parents[2] / "results" / "paper.yaml").read_text().splitlines()
    kept = [
        line
        for line in lines
        if not line.startswith(key) and (key != "rows" or not line.startswith("  - "))
    ]
    if key == "official":
        kept = [line for line in kept if not line.startswith("  ") or line.startswith("  - {task")]
    (tmp_path / "p.yaml").write_text("\n".join([*kept, change]))
    with pytest.raises(DataError, match=r"p\.yaml"):
        paper.read_paper(tmp_path / "p.yaml")


HOSTILE = replace(RECORD, data={**RECORD.data, "name": "shapes"}, protocol="<script>|a_b & 100%")


@pytest.mark.parametrize(
    ("format", "escaped"),
    [
        ("html", "&lt;script&gt;|a_b &amp; 100%"),
        ("latex", r"|a\_b \& 100\%"),
        ("md", r"<script>\|a_b"),
    ],
)
def test_what_came_from_data_is_escaped(format, escaped):
    shown = rendering.render(
        [rendering.Table("Shapes", table.shapes_rows([HOSTILE]), layouts.SHAPES_COLUMNS)], format
    )
    assert escaped in shown
    assert "<script>" not in shown or format != "html"


def test_csv_keeps_every_digit():
    record = replace(
        RECORD, data={**RECORD.data, "name": "shapes"}, metrics={"accuracy": 84.51234567890123}
    )
    shown = rendering.render_csv(
        rendering.Table("Shapes", table.shapes_rows([record]), layouts.SHAPES_COLUMNS)
    )
    assert next(csv.DictReader(shown.splitlines()))["measured"] == "84.51234567890123"


def test_json_is_null_where_nothing_was_measured():
    rows = json.loads(rendering.render_json({"rows": table.paper_rows([RECORD])}))["rows"]
    assert rows[0]["measured"] is None and rows[0]["delta"] is None
    assert {"task", "dataset", "metric", "paper", "measured", "delta", "verdict"} <= rows[0].keys()
