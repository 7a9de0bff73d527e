"""Tasks and model families of other packages, registered as entry points."""

import sys

import pytest

from harness.checkpoints import Weights
from harness.cli.main import main
from harness.errors import UsageError
from harness.registry import find_task, load_model, task_names
from tasks import TASKS

MODULE = """
from tasks.refcoco_plus import RefCOCOPlus

class Chess(RefCOCOPlus):
    name = "chess"

def load(weights, *, needs, device, dtype):
    return (weights.name, needs, device, dtype)
"""
ENTRIES = "[xvlm_eval.tasks]\nchess = somebodys:Chess\n[xvlm_eval.models]\nother = somebodys:load\n"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package of somebody else's, installed."""
    (tmp_path / "somebodys.py").write_text(MODULE)
    info = tmp_path / "somebodys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("somebodys", None)


def test_a_task_of_another_package_is_found_and_listed(plugin, capsys):
    own, others = task_names()[: len(TASKS)], task_names()[len(TASKS) :]
    assert own == [*TASKS] and others.count("chess") == 1  # beside those of installed packages
    assert find_task("Chess").name == "chess"
    assert main(["list"]) == 0
    assert "chess" in capsys.readouterr().out


def test_a_model_family_of_another_package_is_loaded(plugin, tmp_path):
    weights = Weights("w", "other", tmp_path, tmp_path)
    assert load_model(weights, needs=[int], device="cpu", dtype="float32") == (
        "w",
        int,
        "cpu",
        "float32",
    )


def test_a_model_family_that_nobody_registers_is_said(tmp_path):
    with pytest.raises(UsageError, match="no package registers the model family 'other'"):
        load_model(
            Weights("w", "other", tmp_path, tmp_path), needs=[int], device="cpu", dtype="float32"
        )
