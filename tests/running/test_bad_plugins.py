"""Tasks of other packages whose attributes make no sense, or that end Python."""

from types import SimpleNamespace

import pytest

from harness.cli.main import main
from harness.report.content import in_order

TASK = """
from tasks.refcoco_plus import RefCOCOPlus

class Bad(RefCOCOPlus):
    name = "bad"
    {}
"""


@pytest.fixture
def bad(package):
    def install(line):
        package.install(TASK.format(line), points={"task bad": "somebodys.plugin:Bad"})

    return install


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("splits = ()", "it has no splits"),
        ("splits = 'val'", "its splits should be a tuple of names, not 'val'"),
        ("name = 'a/b'", "its name should consist of letters"),
        ("version = None", "its version should be a whole number, not None"),
        ("needs = ()", "it needs no capability"),
        ("primary = None", "its primary should be a text"),
    ],
)
def test_a_task_that_makes_no_sense_is_named_with_the_reason(bad, line, message, tmp_path, capsys):
    bad(line)
    assert main(["data", "--task", "bad", "--data", str(tmp_path)]) == 3
    err = capsys.readouterr().err
    assert "somebodys.plugin:Bad" in err and message in err


def test_a_plugin_that_ends_python_is_an_error_with_a_sentence(bad, tmp_path, capsys):
    bad("def files(self, split): raise SystemExit(0)")
    assert main(["data", "--task", "bad", "--data", str(tmp_path)]) == 4
    assert "the code of a plugin or a package ended Python" in capsys.readouterr().err


def test_a_report_orders_results_of_a_task_that_cannot_be_imported_last(package):
    package.install("raise RuntimeError", points={"task bad": "somebodys.plugin:Bad"})
    results = [
        SimpleNamespace(record=SimpleNamespace(task=task, split=split, checkpoint={"name": "m"}))
        for task, split in (("bad", "val"), ("refcoco+", "testA"), ("refcoco+", "val"))
    ]
    ordered = [(result.record.task, result.record.split) for result in in_order(results)]
    assert ordered == [("refcoco+", "val"), ("refcoco+", "testA"), ("bad", "val")]
