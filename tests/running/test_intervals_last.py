"""A record is on disk as soon as its metrics are known; intervals follow."""

import json

import pytest

from harness.cli.main import main
from harness.statistics.intervals import metric_intervals
from harness.task import scores

RUN = ["run", "--task", "refcoco+", "--split", "val", "--limit", "8", "--out"]
RECORD = "xvlm-shapes/refcoco+.val.limit-8.json"
REASON = {"intervals": "the run ended before; the same command computes them"}


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """The records that were on disk whenever intervals were computed; None where none was."""
    found = []

    def noting(statistics):
        path = tmp_path / RECORD
        found.append(json.loads(path.read_text()) if path.exists() else None)
        return metric_intervals(statistics)

    monkeypatch.setattr(scores, "metric_intervals", noting)
    return found


def test_metrics_are_written_before_their_intervals_are_computed(tmp_path, seen):
    assert main([*RUN, str(tmp_path)]) == 0
    final = json.loads((tmp_path / RECORD).read_text())
    (first,) = seen
    assert (first["intervals"], first["not_run"]) == ({}, REASON)
    assert (list(final["intervals"]), final["not_run"]) == (["accuracy"], {})
    unfinished = {"intervals": {}, "not_run": REASON}
    assert first == {**final, **unfinished}


def test_a_complete_record_stays_while_its_intervals_are_computed_again(tmp_path, seen):
    for _ in range(2):
        assert main([*RUN, str(tmp_path)]) == 0
    final = json.loads((tmp_path / RECORD).read_text())
    assert seen[1] == final


def test_a_run_that_ends_before_says_so_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    def killed(statistics):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(scores, "metric_intervals", killed)
        assert main([*RUN, str(tmp_path)]) != 0
    assert json.loads((tmp_path / RECORD).read_text())["not_run"] == REASON
    assert main(["table", str(tmp_path)]) == 0
    assert main([*RUN, str(tmp_path)]) == 0
    final = json.loads((tmp_path / RECORD).read_text())
    assert (list(final["intervals"]), final["not_run"]) == (["accuracy"], {})
