"""The paper's table: its rows, and which records may fill them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace as replace_struct

from harness import rendering
from harness.checkpoints import entries
from harness.errors import DataError, UsageError
from harness.files.paths import shipped_path
from harness.records.record import Subset, find_records, write_record
from harness.registry import official_counts
from harness.tables import comparison, layouts, left_out
from harness.tables.paper import Official, read_paper
from tests.support.records import RECORD

LISTING = Path(__file__).parent / "paper_results.csv"  # as Papers With Code listed them
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


OWN_FILE = {**RECORD.checkpoint, "name": "mine", "registered": False}


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


@pytest.mark.parametrize("name", ["mine", "MINE", "m_i-ne"])
def test_another_checkpoint_fills_the_rows_when_it_is_asked_for(name):
    row = refcoco_rows(replace(RECORD, checkpoint=OWN_FILE), checkpoint=name)["RefCOCO+ val"]
    assert (row["measured"], row["checkpoint"]) == (84.5, "mine (file)")


def test_a_checkpoint_that_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean x-vlm-base"):
        paper_rows(RECORD, checkpoint="x-vlm-bass")


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


def leaderboard(*records):
    return {
        (row["checkpoint"], row["task"], row["split"], row["metric"]): row
        for row in comparison.leaderboard_rows(records, PAPER)
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
    text = rendering.render(layouts.leaderboard(list(rows.values())), "md")
    assert "84.50 (84.51, -0.01)" in text and "(89.00)" in text and "(78.22)" in text


def test_a_file_that_is_called_like_a_released_model_is_not_set_beside_its_numbers():
    rows = leaderboard(replace(RECORD, checkpoint={**OWN_FILE, "name": "x-vlm-base-16m"}))
    assert rows["x-vlm-base-16m (file)", "refcoco+", "val", "accuracy"]["published"] is None
    assert rows["x-vlm-base-16m", "refcoco+", "val", "accuracy"]["measured"] is None


def test_protocols_are_not_ranked_together():
    other = replace(RECORD, checkpoint=OWN_FILE, protocol=RECORD.protocol.replace("384", "224"))
    boards = layouts.leaderboard(comparison.leaderboard_rows([RECORD, other], PAPER))
    refcoco = {
        board.title.partition(", protocol ")[2]: [row["checkpoint"] for row in board.rows]
        for board in boards
        if board.title.split()[0].strip(":") == "refcoco+"
    }
    assert refcoco[other.protocol] == ["mine (file)"]
    assert refcoco[RECORD.protocol] == ["x-vlm-base-4m", "x-vlm-base-16m"]


def test_splits_stand_in_their_own_order_and_numbers_in_theirs():
    rows = comparison.leaderboard_rows([], PAPER)
    rows = [row for row in rows if row["checkpoint"] == "x-vlm-base-16m"]
    assert [row["split"] for row in rows if row["task"] == "refcoco+"] == ["val", "testA", "testB"]
    recalls = [row["metric"] for row in rows if row["task"] == "coco-retrieval"]
    assert recalls == ["i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10"]
    assert list(dict.fromkeys(row["task"] for row in rows))[:2] == ["vqav2", "nlvr2"]


def test_embedded_results_have_a_table_of_their_own():
    embedded = replace(RECORD, data={**RECORD.data, "name": "shapes"})
    assert [row["measured"] for row in comparison.shapes_rows([embedded, RECORD], PAPER)] == [84.5]
    rows = comparison.leaderboard_rows([embedded], PAPER)
    assert all(row["measured"] is None for row in rows)


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
    assert left_out.objections(records, PAPER) == [
        "x-vlm-base-16m refcoco+ val: a subset of 5 of 9, not a result",
        "x-vlm-base-16m refcoco+ val: 7 samples, the official split has 10758",
        "x-vlm-base-16m refcoco+ val: 2 samples were skipped, as their images cannot be read; "
        "get them again, and run it with --fresh",
        "x-vlm-base-16m refcoco+ val: version 2 of the task, the table holds version 1",
        "x-vlm-base-16m refcoco+ val: computed in float16, the table holds float32 and tf32",
        "x-vlm-base-16m chess val: no published number is known for this task and split",
    ]


def test_what_fills_no_row_of_the_paper_is_said_with_how_to_see_it():
    records = [replace(RECORD, checkpoint=OWN_FILE), replace(RECORD, protocol="p"), RECORD]
    assert left_out.passed_over(records, PAPER) == [
        "mine (file) refcoco+ val: its rows are filled from x-vlm-base-16m; "
        "`xvlm-eval table --checkpoint mine` fills them from this one",
        "x-vlm-base-16m refcoco+ val: measured by the protocol p, "
        f"the paper's is {RECORD.protocol}",
    ]
    assert left_out.passed_over(records[::2], PAPER, checkpoint="Mine") == [
        "x-vlm-base-16m refcoco+ val: its rows are filled from mine; "
        "`xvlm-eval table --checkpoint x-vlm-base-16m` fills them from this one",
    ]


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


def caption_rows(*records, **options):
    """Measured, checkpoint and verdict of the two rows of COCO Captions."""
    rows = paper_rows(*records, **options)
    return [
        (row["measured"], row["checkpoint"], row["verdict"])
        for row in rows
        if row["dataset"] == "COCO Captions"
    ]


def test_the_two_captioning_numbers_belong_to_the_4m_model_and_all_others_to_16m():
    others = {row.value: row.checkpoint for row in PAPER.rows if row.checkpoint}
    assert others == {"41.3": "x-vlm-base-4m", "140.8": "x-vlm-base-4m"}
    assert {PAPER.checkpoint_of(row) for row in PAPER.rows} <= entries().keys()
    own = [(row["paper"], row["checkpoint"]) for row in paper_rows() if row["checkpoint"]]
    assert own == [(41.3, "x-vlm-base-4m"), (140.8, "x-vlm-base-4m")]


def test_a_row_is_filled_from_its_own_checkpoint():
    assert caption_rows(CAPTIONS_16M) == [(None, "x-vlm-base-4m", "not run")] * 2
    filled = [(41.29, "x-vlm-base-4m", "reproduced"), (139.0, "x-vlm-base-4m", "off")]
    assert caption_rows(CAPTIONS_4M) == caption_rows(CAPTIONS_16M, CAPTIONS_4M) == filled
    both = refcoco_rows(RECORD, replace(RECORD, checkpoint=CAPTIONS_4M.checkpoint))
    assert both["RefCOCO+ val"]["checkpoint"] == "x-vlm-base-16m"


def test_a_named_checkpoint_fills_all_rows_whatever_they_were_printed_for():
    filled = [(41.0, "x-vlm-base-16m", "off"), (140.3, "x-vlm-base-16m", "off")]
    both = caption_rows(CAPTIONS_16M, CAPTIONS_4M, checkpoint="X-VLM base 16M")
    assert caption_rows(CAPTIONS_16M, checkpoint="x-vlm-base-16m") == both == filled
    unfilled = caption_rows(CAPTIONS_4M, checkpoint="x-vlm-base-16m")
    assert unfilled == [(None, None, "not run")] * 2


def test_a_16m_caption_record_is_told_whose_rows_it_does_not_fill():
    assert left_out.passed_over([CAPTIONS_16M, CAPTIONS_4M, RECORD], PAPER) == [
        "x-vlm-base-16m coco-caption test: its rows are filled from x-vlm-base-4m; "
        "`xvlm-eval table --checkpoint x-vlm-base-16m` fills them from this one"
    ]


def test_the_leaderboard_sets_a_number_beside_the_model_it_was_printed_for():
    rows = leaderboard(CAPTIONS_16M)
    own = rows["x-vlm-base-16m", "coco-caption", "test", "cider"]
    assert (own["measured"], own["published"], own["verdict"]) == (140.3, 140.3, "reproduced")
    assert own["source"] == "X-VLM, Table 3"
    other = rows["x-vlm-base-4m", "coco-caption", "test", "cider"]
    assert (other["measured"], other["published"], other["verdict"]) == (None, 140.8, "not run")
    reproduced = leaderboard(CAPTIONS_4M)["x-vlm-base-4m", "coco-caption", "test", "bleu4"]
    assert (reproduced["published"], reproduced["verdict"]) == (41.3, "reproduced")


def test_a_copy_of_a_record_is_no_second_result(tmp_path):
    write_record(RECORD.path(tmp_path), RECORD)
    write_record(tmp_path / "elsewhere" / "refcoco+.val.json", RECORD)
    records, damaged, misplaced = find_records(tmp_path)
    assert (records, damaged) == ([RECORD], [])
    assert len(misplaced) == 1 and "elsewhere" in misplaced[0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"source": 3}, "source should be a string, but is 3"),
        ({"rows": []}, "rows is an empty list"),
        ({"rows": [{"task": "t"}]}, "rows[0] has no 'dataset'"),
        ({"official": {"t": {}}}, "official.t has no 'version'"),
        ({"extra": 1}, "has the unknown key 'extra'"),
        ({"tolerance": "much"}, "tolerance should be a number, but is 'much'"),
        ({"tolerance": float("nan")}, "tolerance should be a finite number, but is nan"),
        ({"needs_server": {"t": "a"}}, "needs_server.t should be a list, but is 'a'"),
    ],
)
def test_anything_but_a_papers_table_is_refused_with_the_file_and_the_key(
    tmp_path, changes, problem
):
    content = yaml.safe_load(shipped_path("results/paper.yaml").read_text(encoding="utf-8"))
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({**content, **changes}))
    with pytest.raises(DataError) as caught:
        read_paper({}, tmp_path / "p.yaml")
    assert str(caught.value) == f"{tmp_path / 'p.yaml'}: {problem}"


def test_a_row_may_name_its_checkpoint_and_nothing_else_new(tmp_path):
    content = yaml.safe_load(shipped_path("results/paper.yaml").read_text(encoding="utf-8"))
    content["rows"][0] |= {"checkpoints": "x-vlm-base-4m"}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match=r"p\.yaml: rows\[0\] has the unknown key 'checkpoints'"):
        read_paper({}, tmp_path / "p.yaml")


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
