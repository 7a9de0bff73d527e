"""`data --build-flat`: nothing is left out or replaced without a word."""

import pytest

from harness.cli.main import main

TASKS = """
from dataclasses import replace
from tasks.refcoco_plus import RefCOCOPlus

class Same(RefCOCOPlus):
    name = "same"

class Loud(RefCOCOPlus):
    name = "loud"

    def load(self, data, split):
        return [replace(sample, text=sample.text.upper()) for sample in super().load(data, split)]

class Plain(RefCOCOPlus):
    name = "plain"

    def flat_lists(self, samples):
        return {}
"""
LIST = "refcoco+/refcoco+_val.json"


@pytest.fixture(autouse=True)
def tasks(package):
    names = ("same", "loud", "plain")
    package.install(
        TASKS, points={f"task {name}": f"somebodys.plugin:{name.title()}" for name in names}
    )


def build(out, *tasks):
    return main(["data", "--task", ",".join(tasks), "--split", "val", "--build-flat", str(out)])


def test_a_task_without_lists_is_named(tmp_path, capsys):
    assert build(tmp_path / "flat", "plain", "refcoco+") == 0
    shown = capsys.readouterr().out
    assert "plain: makes no list for the authors' code" in shown
    assert f"{tmp_path / 'flat' / LIST}: 1,056 entries" in shown


def test_two_lists_of_one_name_do_not_replace_one_another(tmp_path, capsys):
    path = tmp_path / "flat" / LIST
    assert build(tmp_path / "flat", "refcoco+", "same") == 0
    before = path.read_bytes()
    assert build(tmp_path / "flat", "refcoco+", "loud") == 3
    assert f"{path}: is the name of a list of refcoco+ and of another one of loud" in (
        capsys.readouterr().err
    )
    assert path.read_bytes() == before
