"""Published numbers: where they come from, and beside which results they stand."""

import json
from dataclasses import replace

import pytest

from harness.cli.main import main
from harness.registry import official_counts, task_names
from harness.tables.comparison import all_rows, leaderboard_rows
from harness.tables.layouts import leaderboard
from harness.tables.paper import read_paper
from harness.tables.published import published_numbers
from tests.support.records import RECORD

PAPER = read_paper(official_counts())
NUMBERS = published_numbers(PAPER)


def test_every_published_number_has_its_protocol_and_source(tmp_path, capsys):
    tmp_path.joinpath("runs").mkdir()
    command = ["table", str(tmp_path / "runs"), "--layout", "leaderboard", "--format", "json"]
    assert main(command) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    published = [row for row in rows if row["published"] is not None]
    assert len(published) == len(NUMBERS) >= 250
    assert all(row["protocol"] and row["source"] and row["kind"] for row in published)
    assert {row["verdict"] for row in published} == {"not run"}


def test_every_number_is_of_a_task_and_a_split_that_exist():
    assert {number.key.task for number in NUMBERS} <= set(task_names())
    counts = official_counts()
    for number in NUMBERS:
        assert number.key.task not in counts or number.key.split in counts[number.key.task]
        assert 0 < number.value <= 150


def test_three_numbers_of_one_model_stand_side_by_side():
    of_clip = [
        number
        for number in NUMBERS
        if number.model == "CLIP ViT-L/14@336 (OpenAI)"
        and number.key == ("coco-retrieval", "test", "i2t_r1")
    ]
    assert sorted(number.value for number in of_clip) == [57.2, 57.94, 58.4]
    assert len({(number.protocol, number.source) for number in of_clip}) == 3


def test_a_number_by_another_source_does_not_replace_a_measured_one():
    measured, *_ = all_rows([RECORD], PAPER)
    other = {**measured, "measured": None, "delta": None, "published": 83.0, "source": "a log"}
    (table,) = leaderboard([measured, {**other, "verdict": "not run"}])
    cells = [line["accuracy"] for line in table.rows]
    assert cells == ["84.50 (84.51, -0.01)", "(83.00)"]


def test_they_are_neighbours_in_the_table_of_all_models(tmp_path, capsys):
    tmp_path.joinpath("runs").mkdir()
    assert main(["table", str(tmp_path / "runs"), "--layout", "table2"]) == 0
    shown = capsys.readouterr().out.split("coco-retrieval test: ")[1]
    lines = [n for n, line in enumerate(shown.splitlines()) if "ViT-L/14@336 (OpenAI)" in line]
    assert lines == [lines[0], lines[0] + 1, lines[0] + 2]


@pytest.mark.parametrize("layout", ["table2", "table3", "ovad"])
def test_the_tables_of_papers_hold_the_models_of_both(layout, tmp_path, capsys):
    tmp_path.joinpath("runs").mkdir()
    assert main(["table", str(tmp_path / "runs"), "--layout", layout]) == 0
    shown = capsys.readouterr().out
    assert ("ALBEF 14M" in shown or "albef-14m" in shown) and "x-vlm-base-4m" in shown


def test_a_measured_number_stands_beside_the_published_one_of_its_protocol_only():

    rows = leaderboard_rows([RECORD], PAPER)
    measured = [row for row in rows if row["measured"] is not None]
    assert measured and len(rows) == len(NUMBERS) + sum(
        row["published"] is None for row in measured
    )
    other = replace(RECORD, protocol="another protocol")
    apart = [row for row in leaderboard_rows([other], PAPER) if row["measured"] is not None]
    assert [row["published"] for row in apart] == [None] * len(apart)


def test_all_results_are_shown_whatever_their_task_and_size():

    own = replace(RECORD, task="photos", protocol="mine")
    assert [row["task"] for row in all_rows([own], PAPER)] == ["photos"] * len(own.metrics)


def test_vlue_has_nine_numbers_of_x_vlm_and_of_albef():
    for model in ("x-vlm-base-16m", "ALBEF"):
        numbers = [n for n in NUMBERS if n.model == model and n.key.task.startswith("vlue-")]
        assert len(numbers) == 9
        assert {number.source for number in numbers} == {"VLUE, VLUE_leaderboard.png"}
    weak = [number for number in NUMBERS if number.key.task == "vlue-grounding-weak"]
    assert [(number.model, number.value) for number in weak] == [("ALBEF", 24.3)]


@pytest.mark.parametrize(
    ("task", "metric", "value", "n"),
    [
        ("vlue-retrieval", "i2t_r1", 64.11, 5450),
        ("vlue-vqa", "accuracy", 51.55, 11942),
        ("vlue-nlvr2", "accuracy", 74.16, 5662),
        ("vlue-grounding", "accuracy", 55.0, 1313),
    ],
)
def test_a_measured_number_of_vlue_stands_beside_the_published_one(task, metric, value, n):
    record = replace(
        RECORD,
        task=task,
        split="test",
        n=n,
        protocol=PAPER.official[task].protocols[0],
        metrics={metric: value + 0.05},
        intervals={},
    )
    (row,) = (row for row in leaderboard_rows([record], PAPER) if row["measured"] is not None)
    assert (row["published"], row["verdict"]) == (value, "reproduced")
    (less,) = (
        row
        for row in leaderboard_rows([replace(record, n=n - 1)], PAPER)
        if row["task"] == task and row["metric"] == metric and row["checkpoint"] == "x-vlm-base-16m"
    )
    assert less["measured"] is None


@pytest.mark.parametrize(
    ("model", "task", "split", "metric", "n", "protocol"),
    [
        (
            "albef-14m", "coco-retrieval", "test", "i2t_r1", 5000,
            "itm-only|k=256|karpathy|albef|itc+itm|384px|bicubic|30-words|30-tokens",
        ),
        (
            "albef-14m", "flickr30k-retrieval", "test", "t2i_r10", 1000,
            "itm-only|k=128|karpathy|albef|itc+itm|384px|bicubic|30-words|30-tokens",
        ),
        (
            "albef-14m", "vqav2", "test-dev", "accuracy", 447793,
            "official-scorer|answer-list|k=128|albef|vqa|384px|bicubic|50-words",
        ),
        (
            "albef-14m", "refcoco+-weak", "val", "accuracy", 10758,
            "iou>=0.5|per-expression|best-detection|"
            "albef|itm-gradcam|layer 8|384px|bicubic|30-words",
        ),
        (
            "blip-large", "coco-retrieval", "test", "i2t_r1", 5000,
            "itm+itc|k=256|karpathy|blip|itc+itm|384px|bicubic|30-words|35-tokens",
        ),
    ],
)  # fmt: skip
def test_numbers_of_other_families_have_a_place_beside_a_measured_one(
    model, task, split, metric, n, protocol
):
    """The protocols are those that the families' adapters write (tests/running)."""
    (number,) = (x for x in NUMBERS if x.model == model and x.key == (task, split, metric))
    record = replace(
        RECORD,
        task=task,
        split=split,
        n=n,
        protocol=protocol,
        metrics={metric: number.value},
        intervals={},
        checkpoint={**RECORD.checkpoint, "name": model},
    )
    (row,) = (row for row in leaderboard_rows([record], PAPER) if row["measured"] is not None)
    assert (row["published"], row["source"]) == (number.value, number.source)
