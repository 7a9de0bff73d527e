"""Numbers that contradict the scores beside them are never shown as if they were measured."""

import hashlib

import pytest

from harness.api.results import read_results
from harness.cli.main import main
from harness.errors import HarnessWarning
from harness.records.sample_scores import read_sample_scores
from tests.support import tampered
from tests.support.tampered import committed

NAME = "refcoco+.testB"
MADE = "testB.json: the record says accuracy 99.00, its sample scores make 99.71"


@pytest.fixture
def runs(tmp_path):
    """A copy of two results, of which a test edits the first."""
    return committed(tmp_path / "runs", NAME, "nlvr2.dev")


def edit(runs, **fields):
    tampered.edit(runs, NAME, lambda record: record.update(fields))


def called(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


@pytest.mark.parametrize("format", ["terminal", "csv"])
def test_a_table_leaves_out_a_record_that_was_edited(runs, capsys, format):
    edit(runs, metrics={"accuracy": 99.0})
    code, table, said = called(capsys, "table", runs, "--layout", "all", "--format", format)
    assert code == 3 and f"left out: {runs}/xvlm-shapes/refcoco+.{MADE}" in said
    assert "nlvr2" in table and "testB" not in table


def test_a_report_and_an_export_leave_it_out(runs, capsys, tmp_path):
    edit(runs, metrics={"accuracy": 99.0})
    page, samples = tmp_path / "report.html", tmp_path / "samples.csv"
    code, _, said = called(capsys, "report", runs, "--no-images", "--out", page)
    assert code == 3 and MADE in said
    assert MADE in page.read_text(encoding="utf-8")
    code, _, said = called(capsys, "export", runs, "--format", "csv", "--out", samples)
    assert code == 3 and MADE in said
    assert "testB" not in samples.read_text(encoding="utf-8")


def test_show_shows_it_and_says_so(runs, capsys):
    edit(runs, metrics={"accuracy": 99.0})
    code, shown, said = called(capsys, "show", runs, "--limit", "1")
    assert code == 3 and f"in doubt: {runs}/xvlm-shapes/refcoco+.{MADE}" in said
    assert "testB" in shown


@pytest.mark.parametrize("verb", ["show", "report"])
def test_a_baseline_that_was_edited_is_compared_with_nothing(runs, tmp_path, capsys, verb):
    baseline = committed(tmp_path / "baseline", NAME, "nlvr2.dev")
    edit(baseline, metrics={"accuracy": 99.0})
    flags = ["--limit", "1"] if verb == "show" else ["--no-images", "--out", tmp_path / "r.html"]
    code, _, said = called(capsys, verb, runs, "--baseline", baseline, *flags)
    assert code == 3 and f"left out: {baseline}/xvlm-shapes/refcoco+.{MADE}" in said


def test_reading_results_in_python_leaves_it_out_with_a_warning(runs):
    edit(runs, metrics={"accuracy": 99.0})
    with pytest.warns(HarnessWarning, match="its sample scores make"):
        results = read_results(runs)
    assert [result.task for result in results] == ["nlvr2"]


def test_a_report_reads_the_sample_scores_once(runs, tmp_path, capsys, monkeypatch):
    read = []
    monkeypatch.setattr(
        "harness.records.stored.read_sample_scores",
        lambda path: read.append(path) or read_sample_scores(path),
    )
    called(capsys, "report", runs, "--no-images", "--out", tmp_path / "r.html")
    assert len(read) == 2


def test_an_interval_without_its_metric_is_left_out(runs, capsys):
    edit(runs, intervals={"accuracy": [98.0, 99.0]})
    code, _, said = called(capsys, "table", runs, "--layout", "all")
    assert code == 3 and "accuracy is 99.71, outside of its interval, 98.00 to 99.00" in said


@pytest.mark.parametrize("verb", ["diff", "power"])
def test_scores_of_other_samples_are_refused(runs, capsys, verb):
    other = tampered.file_of(runs, "nlvr2.dev", ".contributions.npz").read_bytes()
    tampered.file_of(runs, NAME, ".contributions.npz").write_bytes(other)
    edit(runs, contributions={"sha256": hashlib.sha256(other).hexdigest()})
    folders = (
        ("diff", tampered.COMMITTED.parent, runs)
        if verb == "diff"
        else ("power", "--baseline", runs)
    )
    code, _, said = called(capsys, *folders)
    assert code == 3
    assert "testB.json: the record is about 696 samples, the sample scores 160" in said


def test_a_record_without_a_file_of_scores_is_shown_as_before(runs, capsys):
    edit(runs, metrics={"accuracy": 99.0})
    tampered.file_of(runs, NAME, ".contributions.npz").unlink()
    code, table, _ = called(capsys, "table", runs, "--layout", "all")
    assert code == 0 and "99.00" in table


def test_a_report_of_no_result_says_so(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    code, _, said = called(capsys, "report", tmp_path / "runs", "--out", tmp_path / "report.html")
    assert code == 0 and f"{tmp_path}/runs: no results yet" in said


@pytest.mark.parametrize(
    ("task", "split", "reason"),
    [
        ("refcoco+", "testX", "refcoco+ has no split 'testX'; did you mean testB or testA?"),
        ("refcoc", "testB", "there is no task 'refcoc'; did you mean"),
    ],
)
def test_a_result_of_no_known_task_or_split_is_refused_by_name(runs, capsys, task, split, reason):
    edit(runs, task=task, split=split)
    for path in list((runs / "xvlm-shapes").glob(f"{NAME}.*")):
        path.rename(path.with_name(path.name.replace(NAME, f"{task}.{split}")))
    baseline = committed(runs.parent / "baseline", NAME, "nlvr2.dev")
    code, shown, _ = called(capsys, "check", runs, "--baseline", baseline, "--rescore")
    assert code == 1 and f"{task}.{split}.json: cannot be scored anew: {reason}" in shown
    code, _, said = called(capsys, "show", runs, "--limit", "1")
    assert f"no images, texts or truths are shown: {reason}" in said
