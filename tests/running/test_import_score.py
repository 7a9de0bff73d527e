"""Numbers that a server gave: taken in with their receipt, beside the run they belong to."""

import json

import pytest

from harness.cli.main import main
from harness.formats.folder import sha256_of
from harness.records.record import find_records
from harness.tables import comparison as table
from harness.tables.paper import read_paper
from tests.records.test_record import RECORD

URL = "https://eval.ai/submission/1"


@pytest.fixture
def submission(tmp_path):
    """What a whole run of VQA's test leaves."""
    folder = tmp_path / "x-vlm-base-16m"
    folder.mkdir()
    identity = {
        "task": "vqav2", "task_version": 1, "split": "test-dev", "n": 2, "subset": None,
        "protocol": read_paper().official["vqav2"].protocols[0], "checkpoint": {"sha256": "ab"},
        "data": {"name": "files", "sha256": "cd", "files": {}}, "settings": {"dtype": "float32"}, "software": {},
    }  # fmt: skip
    head = {"format": "xvlm-eval predictions 1", "identity": identity, "software": {}}
    lines = [head, {"id": 1, "prediction": "yes"}, {"id": 2, "prediction": "2"}]
    (folder / "vqav2.test-dev.predictions.jsonl").write_text(
        "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    )
    path = folder / "vqav2.test-dev.submission.json"
    path.write_text(
        json.dumps([{"question_id": 1, "answer": "yes"}, {"question_id": 2, "answer": "2"}])
    )
    return path


def take(submission, *more, metric="accuracy=78.2", url=URL, date="2026-01-31", split="test-dev"):
    words = ["import-score", "--task", "vqav2", "--split", split, "--submission", str(submission)]
    return main([*words, "--metric", metric, "--url", url, "--date", date, *more])


def test_the_number_is_in_the_results_with_its_receipt(submission, tmp_path, capsys):
    assert take(submission) == 0
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 78.2}
    assert record.predictions["receipt"] == {
        "submission_sha256": sha256_of(submission),
        "date": "2026-01-31",
        "url": URL,
    }


def test_a_row_that_a_server_filled_says_so():
    receipt = {"file": "p", "sha256": "ef", "receipt": {"url": URL}}
    record = RECORD.__class__(**{
        **RECORD.__dict__, "task": "vqav2", "split": "test-dev", "n": 447793, "metrics": {"accuracy": 78.2}, "intervals": {},
        "protocol": read_paper().official["vqav2"].protocols[0], "predictions": receipt,
    })  # fmt: skip
    row = table.paper_rows([record], read_paper())[0]
    assert (row["measured"], row["verdict"], row["receipt"]) == (
        78.2,
        "reproduced (server)",
        {"url": URL},
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [({"metric": "accuracy=much"}, 2), ({"metric": "accuracy=101"}, 2), ({"metric": "78"}, 2), ({"date": "yesterday"}, 2),
     ({"url": "eval.ai"}, 2), ({"split": "val"}, 2), ({"split": "test"}, 4)],
)  # fmt: skip
def test_what_is_no_receipt_is_refused(submission, tmp_path, options, code):
    assert take(submission, **options) == code
    assert find_records(tmp_path).records == []


def test_a_submission_that_is_not_made_of_the_predictions_is_refused(submission, capsys):
    submission.write_text(
        json.dumps([{"question_id": 1, "answer": "no"}, {"question_id": 2, "answer": "2"}])
    )
    assert take(submission) == 4
    assert "1 of 2 differ" in capsys.readouterr().err


def test_running_again_keeps_what_the_server_said(tmp_path, capsys):
    run = ["run", "--task", "vqav2", "--split", "test-dev", "--out", str(tmp_path)]
    assert main(run) == 0
    assert "upload the submission" in capsys.readouterr().out
    assert take(tmp_path / "xvlm-shapes" / "vqav2.test-dev.submission.json") == 0
    assert main(run) == 0
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 78.2}
