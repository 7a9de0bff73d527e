"""Trials of what scoring needs go on beside a run, and end it where scoring would fail."""

import threading
import time

import pytest

from harness.cli.main import main
from harness.errors import MissingError
from harness.metrics import captions
from harness.running.trials import Trials


class Checked:
    """A task whose check begins at once and ends when it `may_end`."""

    def __init__(self, error=None):
        self.may_end, self._error = threading.Event(), error

    def begin_trial(self):
        return self._end

    def _end(self):
        assert self.may_end.wait(60)
        if self._error:
            raise self._error


def test_a_run_goes_on_beside_its_trial_and_waits_for_it_before_scoring():
    task, trials, reports = Checked(), Trials(), []
    trials.begin(task)
    report = trials.watch(lambda done, total: reports.append((done, total)))
    report(0, 2)
    report(1, 2)
    threading.Timer(0.1, task.may_end.set).start()
    report(2, 2)
    assert task.may_end.is_set() and reports == [(0, 2), (1, 2), (2, 2)]


def test_a_trial_that_fails_ends_the_run_at_its_next_report():
    task, trials = Checked(MissingError("no METEOR")), Trials()
    trials.begin(task)
    report = trials.watch(lambda done, total: None)
    report(1, 3)
    task.may_end.set()
    with pytest.raises(MissingError, match="no METEOR; what was predicted is kept"):
        trials.wait()
    with pytest.raises(MissingError, match="no METEOR"):
        report(2, 3)


def test_a_check_that_takes_no_time_is_made_at_once():
    class Quick:
        def begin_trial(self):
            return None

        def check_environment(self):
            raise MissingError("no program")

    with pytest.raises(MissingError, match=r"^no program$"):
        Trials().begin(Quick())


def test_a_run_whose_meteor_fails_keeps_its_predictions_and_leaves_no_record(
    tmp_path, monkeypatch, capsys
):
    def stored():
        return [
            line
            for file in tmp_path.rglob("*.predictions.jsonl")
            for line in file.read_text().splitlines()[1:]
        ]

    def fail():
        end = time.monotonic() + 240
        while len(stored()) < 2 and time.monotonic() < end:  # the captions of the one batch
            time.sleep(0.05)
        raise MissingError("no METEOR")

    command = ["run", "--task", "coco-caption", "--limit", "2", "--out", str(tmp_path)]
    monkeypatch.setattr(captions, "_begin_trial", lambda java: fail)
    assert main(command) == 3
    assert "no METEOR; what was predicted is kept" in capsys.readouterr().err
    assert not list(tmp_path.rglob("coco-caption.test.json"))
    assert len(stored()) == 2
