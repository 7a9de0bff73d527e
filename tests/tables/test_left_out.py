"""Which records no table shows, which rows they do not fill, and why."""

from dataclasses import replace

from harness.cli.main import main
from harness.records.record import Subset
from harness.tables import left_out
from tests.support.records import RECORD
from tests.tables.rows import CAPTIONS_4M, CAPTIONS_16M, OWN_FILE, PAPER


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
        "get them again, and start the run again",
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


def test_a_16m_caption_record_is_told_whose_rows_it_does_not_fill():
    assert left_out.passed_over([CAPTIONS_16M, CAPTIONS_4M, RECORD], PAPER) == [
        "x-vlm-base-16m coco-caption test: its rows are filled from x-vlm-base-4m; "
        "`xvlm-eval table --checkpoint x-vlm-base-16m` fills them from this one"
    ]


def test_a_file_is_no_folder_of_results(tmp_path, capsys):
    (tmp_path / "record.json").write_text("{}")
    for name, complaint in (("record.json", "is a file; name the folder"), ("gone", "no such fol")):
        assert main(["table", str(tmp_path / name)]) == 3
        assert f"{tmp_path / name}: {complaint}" in capsys.readouterr().err
