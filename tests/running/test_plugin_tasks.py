"""Tasks of other packages do not disturb the embedded benchmark."""

import pytest

from harness.callbacks import no_progress
from harness.errors import MissingError
from harness.running.launch import agree_on_plan
from harness.running.processes.distributed import SingleProcess
from tests.running.test_launch import request

FED = """
from tasks.refcoco_plus import RefCOCOPlus

class Again(RefCOCOPlus):
    name = "again"
"""
UNFED = """
from harness.formats.folder import Needed

class Unfed(Again):
    name = "unfed"
    def files(self, split):
        return (Needed(("unfed/test.json",), "questions", "https://example.org"),)
"""
POINTS = {
    "task again": "somebodys.plugin:Again",
    "task unfed": "somebodys.plugin:Unfed",
    "task gone": "somebodys.plugin:Gone",
}


@pytest.fixture(autouse=True)
def tasks(package):
    package.install(FED + UNFED, points=POINTS)


def plan(tmp_path, *tasks):
    (tmp_path / "weights.th").write_text("")
    (tmp_path / "vocab.txt").write_text("")
    weights = str(tmp_path / "weights.th")
    asked = request(tasks=tasks, checkpoint=weights)
    return agree_on_plan(asked, SingleProcess(), progress=no_progress)


def test_all_leaves_out_a_task_that_the_embedded_benchmark_cannot_feed(tmp_path):
    whole = plan(tmp_path, "all")
    names = {run.task.name for run in whole.runs}
    assert "again" in names and "vqav2" in names and not names & {"unfed", "gone"}
    unfed, gone = whole.notes
    assert unfed.startswith(
        "left out: task plugin 'unfed' (somebodys 1.0): the embedded benchmark has no files for it "
    )
    assert "unfed/test.json" in unfed and "--data DIR" in unfed
    assert gone.startswith("left out: task plugin 'gone' (somebodys 1.0): somebodys.plugin:Gone")
    assert "unfed" not in whole.left_out


def test_a_task_that_is_named_is_not_left_out(tmp_path):
    with pytest.raises(MissingError, match=r"unfed/test\.json"):
        plan(tmp_path, "all,unfed")
    with pytest.raises(MissingError, match=r"unfed/test\.json"):
        plan(tmp_path, "unfed")
