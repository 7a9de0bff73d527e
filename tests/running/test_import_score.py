"""Numbers that a server gave: taken in with their receipt, beside the run they belong to."""

import json
import shutil
from dataclasses import replace

import pytest

from harness.cli.main import main
from harness.formats.folder import sha256_of
from harness.records.predictions import open_predictions
from harness.records.record import Subset, find_records, write_record
from harness.registry import official_counts
from harness.tables import comparison as table
from harness.tables.paper import read_paper
from tasks.vqav2 import VQAv2
from tests.support.records import RECORD

URL = "https://eval.ai/submission/1"


@pytest.fixture
def submission(tmp_path):
    """What a whole run of VQA's test leaves: predictions, a record that waits, a submission."""
    identity = {"task": "vqav2", "split": "test-dev"}
    path = tmp_path / "x-vlm-base-16m" / "vqav2.test-dev.predictions.jsonl"
    with open_predictions(path, identity, software={}) as file:
        file.append([(1, "yes"), (2, "2")])
    record = replace(
        RECORD,
        task="vqav2",
        split="test-dev",
        n=2,
        metrics={},
        intervals={},
        not_run={"accuracy": "the truths are hidden"},
        protocol=read_paper(official_counts()).official["vqav2"].protocols[0],
        predictions={"file": path.name, "sha256": sha256_of(path)},
        software={"torch": "2.13", "processor": "a fast one", "batch_size": 32, "commit": "c0"},
    )
    write_record(record.path(tmp_path), record)
    upload = path.with_name("vqav2.test-dev.submission.json")
    upload.write_text(
        json.dumps([{"question_id": 1, "answer": "yes"}, {"question_id": 2, "answer": "2"}])
    )
    return upload


def take(submission, *more, metric="accuracy=78.2", url=URL, date="2026-01-31", split="test-dev"):
    words = ["import-score", "--task", "vqav2", "--split", split, "--submission", str(submission)]
    return main([*words, "--metric", metric, "--url", url, "--date", date, *more])


def test_the_number_is_in_the_results_with_its_receipt(submission, tmp_path, capsys):
    assert take(submission) == 0
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 78.2} and record.not_run == {}
    assert record.predictions["receipt"] == {
        "submission_sha256": sha256_of(submission),
        "date": "2026-01-31",
        "url": URL,
    }
    assert str(record.path(tmp_path)) in capsys.readouterr().out


def test_everything_else_in_the_record_stays(submission, tmp_path):
    (before,) = find_records(tmp_path).records
    assert take(submission) == 0
    (after,) = find_records(tmp_path).records
    assert after.predictions.items() > before.predictions.items()
    assert before == replace(
        after, metrics={}, not_run=before.not_run, predictions=before.predictions
    )


def test_a_row_that_a_server_filled_says_so():
    receipt = {"file": "p", "sha256": "ef", "receipt": {"url": URL}}
    record = replace(
        RECORD,
        task="vqav2",
        split="test-dev",
        n=447793,
        metrics={"accuracy": 78.2},
        intervals={},
        protocol=read_paper(official_counts()).official["vqav2"].protocols[0],
        predictions=receipt,
    )
    row = table.paper_rows([record], read_paper(official_counts()))[0]
    assert (row["measured"], row["verdict"], row["receipt"]) == (
        78.2,
        "reproduced (server)",
        {"url": URL},
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"metric": "accuracy=much"}, 2),
        ({"metric": "accuracy=101"}, 2),
        ({"metric": "78"}, 2),
        ({"date": "yesterday"}, 2),
        ({"url": "eval.ai"}, 2),
        ({"metric": "acuracy=78"}, 2),
        ({"date": "2026-13-45"}, 2),
        ({"date": "2026-02-30"}, 2),
        ({"date": "20260131"}, 2),
        ({"date": "2026-W05-6"}, 2),
        ({"url": "https://"}, 2),
        ({"url": "https:///page"}, 2),
        ({"url": "https://./page"}, 2),
        ({"url": "https://eval.ai /page"}, 2),
        ({"metric": "accuracy=0.782"}, 2),
        ({"url": "ftp://eval.ai/page"}, 2),
        ({"url": "https://[eval.ai"}, 2),
        ({"split": "val"}, 2),
        ({"split": "test"}, 4),
    ],
)
def test_what_is_no_receipt_is_refused(submission, tmp_path, options, code):
    assert take(submission, **options) == code
    (record,) = find_records(tmp_path).records
    assert record.metrics == {}


def test_a_metric_given_twice_is_refused_and_those_of_the_server_are_taken(submission, tmp_path):
    assert take(submission, "--metric", "accuracy=70") == 2
    assert take(submission, "--metric", "accuracy_yes_no=90.1") == 0
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 78.2, "accuracy_yes_no": 90.1}


def test_a_receipt_is_replaced_only_on_demand(submission, tmp_path, capsys):
    assert take(submission) == take(submission) == 0  # the same once more
    assert take(submission, metric="accuracy=50") == 2
    shown = capsys.readouterr().err
    assert "has the server's score already (accuracy 78.2, of 2026-01-31); --replace" in shown
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 78.2}
    assert take(submission, "--replace", metric="accuracy=50", date="2026-02-01") == 0
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 50.0}
    assert record.predictions["receipt"]["date"] == "2026-02-01"


def test_a_question_answered_twice_is_refused_by_its_id(submission, capsys):
    entries = json.loads(submission.read_text())
    submission.write_text(json.dumps([*entries, entries[0]]))
    assert take(submission) == 4
    assert "answers 1 questions more than once, e.g. 1" in capsys.readouterr().err


def test_the_submission_of_a_subset_is_refused(submission, tmp_path, capsys):
    limited = submission.with_name("vqav2.test-dev.limit-2.submission.json")
    submission.rename(limited)
    (record,) = find_records(tmp_path).records
    record = replace(record, subset=Subset(2, 4))
    write_record(record.path(tmp_path), record)
    assert take(limited) == 4
    assert "is not the record of a whole run of vqav2 test-dev" in capsys.readouterr().err


def test_without_its_record_a_submission_is_refused_and_how_to_get_one_is_said(submission, capsys):
    submission.with_name("vqav2.test-dev.json").unlink()
    assert take(submission) == 3
    shown = capsys.readouterr().err
    assert "no record beside the submission" in shown
    assert "`xvlm-eval run --task vqav2 --split test-dev`" in shown


def test_without_its_predictions_a_submission_is_refused(submission, capsys):
    submission.with_name("vqav2.test-dev.predictions.jsonl").unlink()
    assert take(submission) == 3
    assert "no predictions beside the submission" in capsys.readouterr().err


def test_predictions_of_another_record_are_refused(submission, capsys):
    path = submission.with_name("vqav2.test-dev.predictions.jsonl")
    path.write_text(path.read_text() + '{"id":3,"prediction":"no"}\n')
    assert take(submission) == 4
    assert "are not the predictions that the record" in capsys.readouterr().err


def test_the_order_of_a_submission_does_not_matter(submission):
    submission.write_text(json.dumps(json.loads(submission.read_text())[::-1]))
    assert take(submission) == 0


class Judged(VQAv2):
    """A benchmark of another package, whose server wants something else than VQA's."""

    name, hidden, server = "judged", frozenset({"test-dev"}), "https://example.org"

    def submission(self, samples, predictions):
        return {sample.id: predictions[sample.id].upper() for sample in samples}


def test_each_task_compares_what_its_own_server_wants(submission, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("harness.running.stored.import_score.find_task", lambda name: Judged())
    (record,) = find_records(tmp_path).records
    write_record(submission.with_name("vqav2.test-dev.json"), replace(record, task="judged"))
    assert take(submission) == 4
    assert "is not made of the predictions beside it" in capsys.readouterr().err
    submission.write_text(json.dumps({"1": "YES", "2": "2"}))
    assert take(submission) == 0


def test_a_submission_that_is_not_made_of_the_predictions_is_refused(submission, capsys):
    submission.write_text(
        json.dumps([{"question_id": 1, "answer": "no"}, {"question_id": 2, "answer": "2"}])
    )
    assert take(submission) == 4
    assert "1 of 2 differ" in capsys.readouterr().err


def test_after_the_import_check_and_diff_see_the_same_run_with_a_number(tmp_path, capsys):
    """Of a real run: the record keeps what the gate compares, and its sample scores."""
    run = ["run", "--task", "vqav2", "--split", "test-dev", "--out"]
    assert main([*run, str(tmp_path / "a")]) == 0
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    upload = tmp_path / "b" / "xvlm-shapes" / "vqav2.test-dev.submission.json"
    before = json.loads(upload.with_name("vqav2.test-dev.json").read_text())
    assert take(upload) == 0
    after = json.loads(upload.with_name("vqav2.test-dev.json").read_text())
    for name in ("software", "contributions", "inputs", "checkpoint", "settings", "data"):
        assert after[name] == before[name] != {}
    capsys.readouterr()
    folders = [str(tmp_path / name) for name in "ab"]
    assert main(["diff", *folders]) == 0
    assert "no sample changed" in capsys.readouterr().out
    shutil.copytree(tmp_path / "b", tmp_path / "c")
    assert main(["check", folders[1], "--baseline", str(tmp_path / "c")]) == 0
    assert "1 identical" in capsys.readouterr().out


def test_running_again_keeps_what_the_server_said(tmp_path, capsys):
    run = ["run", "--task", "vqav2", "--split", "test-dev", "--out", str(tmp_path)]
    assert main(run) == 0
    assert "upload the submission" in capsys.readouterr().out
    assert take(tmp_path / "xvlm-shapes" / "vqav2.test-dev.submission.json") == 0
    assert main(run) == 0
    (record,) = find_records(tmp_path).records
    assert record.metrics == {"accuracy": 78.2}
