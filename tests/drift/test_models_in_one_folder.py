"""Two models in one folder of results are compared with each other, and with nothing else."""

import json

import pytest

from harness.cli.main import main
from tests.support.tampered import committed, edit, file_of

NAME = "refcoco+.testB"


@pytest.fixture
def runs(tmp_path):
    """Return a folder with the results of three models, the first two of the same predictions."""
    folder = tmp_path / "runs"
    for name in ("a", "b", "c"):
        committed(folder, NAME)
        edit(folder, NAME, lambda record, name=name: record["checkpoint"].update(name=name))
        file_of(folder, NAME).parent.rename(folder / name)
    return folder


def cells(capsys, *arguments):
    code = main(["check", *map(str, arguments), "--format", "json"])
    found = json.loads(capsys.readouterr().out)["cells"]
    return code, [(cell["checkpoint"], cell["metric"], cell["verdict"]) for cell in found]


def test_the_models_of_a_folder_are_compared_with_the_named_one(runs, capsys):
    code, found = cells(capsys, runs, "--baseline", runs, "--checkpoint", "A")
    assert code == 0
    assert found == [("b", "accuracy", "identical"), ("c", "accuracy", "identical")]


def test_other_models_beside_the_named_one_are_not_missing(runs, tmp_path, capsys):
    mine = tmp_path / "mine"
    (runs / "c").rename(mine.mkdir() or mine / "c")
    code, found = cells(capsys, mine, "--baseline", runs, "--checkpoint", "a")
    assert (code, found) == (0, [("c", "accuracy", "identical")])


def test_without_a_name_a_folder_is_not_its_own_baseline(runs, capsys):
    assert main(["check", str(runs), "--baseline", str(runs)]) == 2
    said = capsys.readouterr().err
    assert f"{runs}: is the baseline itself" in said and "--checkpoint NAME" in said


def test_a_name_that_no_model_has_compares_nothing(runs, capsys):
    code, found = cells(capsys, runs, "--baseline", runs, "--checkpoint", "nobody")
    assert code == 1
    assert [verdict for _, _, verdict in found] == ["not comparable"] * 3
