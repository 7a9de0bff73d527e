"""`xvlm-eval doctor` on tasks, families, checkpoints and data of the user's own."""

import json
import os

import pytest

from harness.cli.main import main
from harness.shapes.benchmark import embedded_data
from tests.support.plugins import BOX_MODEL, CHESS

FAMILY = f"""
from harness.capabilities import Grounder
from harness.family import Family
{BOX_MODEL}
CENTRE = Family("Centre", (Grounder,), load)
"""
ENTRY = """
mine:
  title: mine
  family: centre
  licence: none
  files:
    refcoco+: {path: mine.bin, head: none}
"""


@pytest.fixture
def weights(package, tmp_path):
    """Weights of a family that a package brings, beside a task of its own."""
    points = {"task chess": "somebodys.plugin:Chess", "model centre": "somebodys.plugin:CENTRE"}
    package.install(FAMILY + CHESS, points=points)
    (tmp_path / "mine.bin").write_text("weights")
    return tmp_path / "mine.bin"


def examined(capsys, *arguments):
    """Exit code, and what was found of each task and of the data."""
    code = main(["doctor", *map(str, arguments), "--format", "json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    names = [check["name"] for check in checks]
    return code, {check["name"]: check["found"] for check in checks[names.index("data") :]}


def test_own_weights_are_ready_for_what_their_family_can_predict(weights, capsys):
    flags = ["--task", "chess,nlvr2", "--checkpoint", weights]
    assert examined(capsys, *flags, "--model", "centre") == (
        0,
        {
            "data": examined(capsys)[1]["data"],
            "chess": f"ready, with {weights}",
            "nlvr2": f"{weights} has no weights for it",
        },
    )
    assert examined(capsys, *flags)[0] == 1  # as a file of X-VLM
    for wrong in (["--model", "nobodys"], ["--task", "chest"]):
        assert main(["doctor", *map(str, flags), *wrong]) == 2
    assert main(["doctor", "--model", "centre"]) == 2
    assert "name them by --checkpoint FILE" in capsys.readouterr().err


def test_an_entry_of_ones_own_is_found(weights, capsys):
    path = weights.with_name("checkpoints.yaml")
    path.write_text(ENTRY)
    code, found = examined(
        capsys, "--task", "refcoco+,nlvr2", "--include", path, "--checkpoint", "mine"
    )
    assert (code, found["refcoco+"], found["nlvr2"]) == (
        0,
        "ready, with mine",
        "mine has no weights for it",
    )
    # A later command of the same process does not know it.
    assert main(["doctor", "--task", "refcoco+", "--checkpoint", "mine"]) == 2
    assert main(["doctor", "--include", str(path), "--checkpoint", "other"]) == 2
    assert "XVLM_EVAL_CHECKPOINTS_FILE" not in os.environ


def test_own_data_are_examined(tmp_path, capsys):
    images = embedded_data().root / "images"
    (tmp_path / "a.jsonl").write_text('{"image": "a.jpg", "text": "a", "box": [1, 1, 2, 2]}\n')
    own = ["--task", "grounding", "--annotations", tmp_path / "a.jsonl"]
    code, found = examined(capsys, *own, "--images", images, "--checkpoint", "xvlm-shapes")
    assert (code, found) == (
        0,
        {
            "data": f"{tmp_path / 'a.jsonl'}, images of {images}",
            "own-grounding": "ready, with xvlm-shapes",
        },
    )
    code, found = examined(capsys, *own, "--images", tmp_path / "gone")
    assert (code, found) == (1, {"data": f"--images {tmp_path / 'gone'}: no such folder"})
    assert main(["doctor", "--task", "grounding"]) == 2
    assert "name it by --annotations FILE --images DIR" in capsys.readouterr().err
