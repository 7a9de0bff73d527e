"""Weights of a family that cannot predict every task: known before anything is loaded."""

import pytest

from harness.cli.main import main
from tests.support.plugins import BOX_MODEL

FAMILY = f"""
from harness.capabilities import Grounder
from harness.family import Family
{BOX_MODEL}
CENTRE = Family("Centre", (Grounder,), load)
"""


@pytest.fixture
def run(package, tmp_path):
    package.install(FAMILY, points={"model centre": "somebodys.plugin:CENTRE"})
    (tmp_path / "mine.bin").write_text("weights")
    flags = ["--model", "centre", "--checkpoint", str(tmp_path / "mine.bin"), "--limit", "2"]
    return lambda *tasks: main(["run", "--task", *tasks, *flags, "--out", str(tmp_path / "runs")])


def test_all_means_what_the_family_can_predict(run, tmp_path, capsys):
    assert run("all") == 0
    assert "left out, without the split or a checkpoint for them: vqav2, nlvr2" in (
        capsys.readouterr().err
    )
    records = {path.name for path in (tmp_path / "runs").rglob("*.limit-2.json")}
    assert records == {f"refcoco+.{split}.limit-2.json" for split in ("val", "testA", "testB")}


def test_a_task_that_is_named_and_cannot_be_predicted_ends_the_command_at_once(
    run, tmp_path, capsys
):
    assert run("refcoco+,vqav2") == 3
    assert "mine.bin: Centre offers Grounder, but vqav2 needs one of Answerer, AnswerGen" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "runs").exists()
