"""Folders that cannot be read or written, and disks that are full, are said to be that."""

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.drift.lineage import read_lineage
from tests.support.tampered import committed, edit, file_of

NAME = "refcoco+.testB"


@pytest.fixture
def runs(tmp_path):
    return committed(tmp_path / "runs", NAME)


@contextmanager
def full_disk(size):
    """Let no file grow beyond a size in bytes."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def called(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, capsys.readouterr().err


def score(runs, out):
    predictions = file_of(runs, NAME, ".predictions.jsonl.gz")
    named = ("--task", "refcoco+", "--split", "testB", "--predictions", predictions)
    return ("score", *named, "--out", out)


def test_score_says_that_its_result_cannot_be_written(runs, tmp_path, capsys):
    (tmp_path / "file").touch()
    code, said = called(capsys, *score(runs, tmp_path / "file"))
    assert code == 4
    assert "/file/xvlm-shapes: cannot be written (Not a directory); choose another --out" in said
    with full_disk(1500):
        code, said = called(capsys, *score(runs, tmp_path / "out"))
    assert code == 4 and "cannot be written (File too large); choose another --out" in said
    assert list((tmp_path / "out" / "xvlm-shapes").iterdir()) == []


@pytest.mark.parametrize("reason", [[], ["--reason", "a better resize"]])
def test_a_baseline_outlives_a_full_disk_with_its_anchor(runs, tmp_path, capsys, reason):
    baseline = tmp_path / "baseline"
    renew = ("baseline", runs, "--baseline", baseline)
    assert called(capsys, *renew)[0] == 0
    if reason:  # an anchor that a review would replace
        assert called(capsys, *renew)[0] == 0
    before = {path: path.read_bytes() for path in baseline.rglob("*") if path.is_file()}
    edit(runs, NAME, lambda record: record["software"].update(python="9"))
    with full_disk(1500):
        code, said = called(capsys, *renew, *reason)
    assert code == 4
    assert f"{baseline}: cannot be written (File too large); the baseline was not replaced" in said
    assert before == {path: path.read_bytes() for path in baseline.rglob("*") if path.is_file()}
    assert len(read_lineage(baseline)) == 1 + bool(reason)
    assert called(capsys, *renew, *reason)[0] == 0
    assert (baseline / "anchor" / "xvlm-shapes").exists() is not bool(reason)


def close(monkeypatch, *closed):
    """Let folders be closed, also to root; other reasons than the usual one are told as well."""
    scan = os.scandir

    def refuse(path):
        if Path(path) in closed:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)


@pytest.mark.parametrize(
    ("verb", "code"),
    [("table", 3), ("show", 3), ("report", 3), ("check", 1), ("power", 3), ("diff", 3)],
)
def test_a_folder_of_results_that_cannot_be_read_is_not_called_empty(
    runs, tmp_path, capsys, monkeypatch, verb, code
):
    other = committed(tmp_path / "other", NAME)
    arguments = {
        "report": ["--out", tmp_path / "r.html"],
        "check": ["--baseline", other, "--format", "json"],
        "diff": [other],
        "power": ["--baseline"],
    }.get(verb, [])
    close(monkeypatch, runs)
    monkeypatch.chdir(tmp_path)
    command = [verb, *arguments, runs] if verb == "power" else [verb, runs, *arguments]
    assert main([str(word) for word in command]) in (code, 2 if verb == "diff" else code)
    streams = capsys.readouterr()
    assert f"{runs}: cannot be read (Input/output error)" in streams.out + streams.err


def test_a_checkpoint_of_a_baseline_that_cannot_be_read_is_not_taken_for_none(
    runs, tmp_path, capsys, monkeypatch
):
    baseline = tmp_path / "baseline"
    renew = ("baseline", runs, "--baseline", baseline)
    assert called(capsys, *renew)[0] == 0
    before = {path: path.read_bytes() for path in baseline.rglob("*") if path.is_file()}
    remedy = "cannot be read (Input/output error), and may hold results; make it readable"
    for folder in (baseline / "xvlm-shapes", runs / "xvlm-shapes"):
        with monkeypatch.context() as closed:
            close(closed, folder)
            code, said = called(capsys, *renew)
        assert code == 3 and f"{folder}: {remedy}" in said
    with monkeypatch.context() as closed:
        close(closed, baseline / "xvlm-shapes")
        code, said = called(capsys, "power", "--baseline", baseline)
    assert code == 3 and f"{baseline / 'xvlm-shapes'}: {remedy}" in said
    assert before == {path: path.read_bytes() for path in baseline.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", ["table", "show", "report", "check"])
@pytest.mark.parametrize("name", ["lost+found", ".private", "of-others"])
def test_a_folder_below_that_cannot_be_read_is_at_most_remarked(
    runs, tmp_path, capsys, monkeypatch, verb, name
):
    other = committed(tmp_path / "other", NAME)
    arguments = {
        "report": ["--no-images", "--out", tmp_path / "r.html"],
        "check": ["--baseline", other],
    }.get(verb, [])
    (runs / name).mkdir()
    close(monkeypatch, runs / name)
    code, said = called(capsys, verb, runs, *arguments)
    assert code == 0
    remark = f"{runs / name}: cannot be read (Input/output error)"
    assert (remark in said) == (name == "of-others")


def test_a_file_that_cannot_be_looked_at_is_no_bug(runs, capsys, monkeypatch):
    monkeypatch.setattr(
        "harness.running.stored.scoring.read_head",
        lambda path: open_closed(path),
    )
    code, said = called(capsys, *score(runs, runs))
    assert code == 3 and "Permission denied; may this user read and write there?" in said


def open_closed(path):
    raise PermissionError(13, "Permission denied", str(path))
