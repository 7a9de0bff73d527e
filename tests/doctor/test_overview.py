"""`xvlm-eval` without a verb: what can be done here and now, in a few lines."""

import shutil
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.support.loaded import loaded_by

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def overview(capsys, monkeypatch, tmp_path):
    """Print the overview in an empty folder; return its lines by subject."""
    monkeypatch.chdir(tmp_path)

    def printed() -> dict[str, str]:
        assert main([]) == 0
        rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        subjects = [row for row in rows if row[2] != " "]
        return {row[2:].split("  ")[0]: row.strip().split("  ")[-1] for row in subjects}

    return printed


def test_a_new_machine_is_shown_the_demo_and_where_data_and_weights_come_from(
    overview, capsys, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", "nowhere")
    findings = overview()
    assert list(findings) == ["demo", "real data", "weights", "your own data", "results"]
    assert findings["real data"].startswith("none: no folder by --data, XVLM_EVAL_DATA or nowhere/")
    assert findings["weights"].startswith("none of ")
    assert findings["results"] == "none in runs/ yet"
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "xvlm-eval run --task all\n" in out
    assert out.endswith("All verbs: xvlm-eval --help; the flags of one: xvlm-eval VERB --help.\n")


def test_data_weights_and_results_are_found(overview, monkeypatch, tmp_path):
    for name in ("data/dev.json", "data/test1.json", "weights/blip-base/model_base_nlvr.pth"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    shutil.copytree(RESULTS / "xvlm-shapes", tmp_path / "runs" / "xvlm-shapes")
    monkeypatch.setenv("XVLM_EVAL_DATA", "data")
    monkeypatch.setenv("XVLM_EVAL_CHECKPOINTS", "weights")
    findings = overview()
    assert findings["real data"] == "data: no task of 7 complete"
    assert findings["weights"] == "blip-base for nlvr2"
    records = len(list((RESULTS / "xvlm-shapes").glob("*.json")))
    assert findings["results"] == f"runs/: {records} records of xvlm-shapes"


def test_a_folder_that_does_not_exist_is_named(overview, monkeypatch):
    monkeypatch.setenv("XVLM_EVAL_DATA", "absent")
    assert overview()["real data"].startswith("absent: no such data folder")


def test_a_plugin_that_cannot_be_imported_hides_nothing(overview, monkeypatch, tmp_path, package):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("XVLM_EVAL_DATA", "data")
    package.install("raise RuntimeError", points={"task bad": "somebodys.plugin:Bad"})
    assert overview()["real data"] == "data: no task of 7 complete"


def test_nothing_heavy_is_imported():
    assert not {"torch", "transformers", "pandas", "datasets"} & loaded_by()
