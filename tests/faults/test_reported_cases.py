"""Files that users reported; skipped where they are not kept."""

import shutil
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.shapes.benchmark import embedded_data
from tests.faults.scoring import scored

CASES = next(
    (path for parent in Path(__file__).parents if (path := parent / "shared" / "cases").is_dir()),
    Path("absent"),
)


def shown_by_case(name, task, split, tmp_path, capsys):
    root = tmp_path / name
    shutil.copytree(CASES / name, root, copy_function=shutil.copy)
    root.chmod(0o755)
    if not (root / "images").exists():
        (root / "images").symlink_to(embedded_data().root / "images")
    flags = ["--task", task, "--split", split, "--data", str(root), "--out", str(tmp_path / "o")]
    code = main(["run", *flags, "--checkpoint", "xvlm-shapes"])
    return code, capsys.readouterr().err


@pytest.mark.skipif(not CASES.is_dir(), reason="the reported cases are not here")
@pytest.mark.parametrize(
    ("name", "task", "split", "code", "problem"),
    [
        ("two_folders_one_name", "coco-retrieval", "test", 3, "val2014/a/COCO_val2014_0000001"),
        ("two_folders_one_name", "coco-caption", "test", 3, "have the id 100000"),
        ("surrogate_question", "vqav2", "val", 3, "questions[2].question should be Unicode text"),
        ("surrogate_caption", "coco-retrieval", "test", 3, "should be Unicode text"),
        ("nlvr2_line_separator", "nlvr2", "dev", 0, ""),
    ],
)
def test_a_reported_case_ends_as_it_should_and_names_the_problem(
    tmp_path, capsys, name, task, split, code, problem
):
    ended, shown = shown_by_case(name, task, split, tmp_path, capsys)
    assert ended == code and problem in shown


@pytest.mark.skipif(not CASES.is_dir(), reason="the reported cases are not here")
def test_reported_matrices_are_ranked_and_reported_boxes_in_pixels_refused(capsys):
    for name in ("f64", "f64x"):
        path = CASES / "matrices" / f"{name}.npz"
        assert scored(capsys, "coco-retrieval", "test", path)[1]["metrics"]["i2t_r1"] == 100.0
    data = CASES / "boxes_in_pixels"
    for name in ("pixels_xywh", "pixels_xyxy"):
        more = ("--data", str(data))
        code, _, shown = scored(capsys, "refcoco+", "val", data / f"{name}.json", *more)
        assert code == 3 and "lies far outside of its image" in shown
