"""The wheel: built, installed elsewhere without dependencies, and used from there."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WEIGHTS = 16 * 2**20  # all weights of the project together


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (path,) = folder.glob("xvlm_eval-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Run the installed console script from a folder of its own."""
    target, elsewhere = tmp_path_factory.mktemp("target"), tmp_path_factory.mktemp("elsewhere")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
    ]
    run(*pip, "--target", target, wheel)

    def command(*arguments, before=(), script=target / "bin" / "xvlm-eval"):
        path = os.pathsep.join(map(str, [*before, target]))
        return run(
            sys.executable,
            script,
            *arguments,
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": path},
        )

    return command


def test_the_wheel_holds_the_packages_their_types_and_everything_they_read(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "harness/py.typed",
        "tasks/py.typed",
        "xvlm_eval.py",
        "harness/shipped/checkpoints.yaml",
        "harness/shipped/results/paper.yaml",
        "harness/shapes/weights/refcoco+.safetensors",
        "harness/shapes/weights/vocab.txt",
        *(f"harness/report/assets/report.{kind}" for kind in ("html", "css", "js")),
    } <= names
    assert not [name for name in names if name.startswith("tests")]


def test_an_editable_install_copies_no_module(tmp_path):
    """A copy of `xvlm_eval.py` in site-packages would not find `harness` beside it."""
    build = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path, cwd=ROOT)
    (path,) = tmp_path.glob("xvlm_eval-*.whl")
    assert not [name for name in zipfile.ZipFile(path).namelist() if name.endswith(".py")]


def test_the_wheel_carries_its_licence(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    assert "License-Expression: BSD-3-Clause" in archive.read(metadata).decode()
    licence = metadata.replace("METADATA", "licenses/LICENSE")
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py"])
def test_list_works_from_another_folder_beside_packages_of_the_same_names(
    installed, tmp_path, file
):
    for name in ("tasks", "harness"):
        path = tmp_path / file.format(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise SystemExit('not our {name}')")
    shown = json.loads(installed("list", "--format", "json", before=[tmp_path]))
    assert "refcoco+" in [task["task"] for task in shown["tasks"]]
    checkpoints = [entry["checkpoint"] for entry in shown["checkpoints"]]
    assert {"x-vlm-base-16m", "xvlm-shapes"} <= set(checkpoints)


def test_table_works_from_another_folder(installed):
    rows = json.loads(installed("table", "--format", "json"))["rows"]
    assert len(rows) == 53 and "RefCOCO+ val" in {row["dataset"] for row in rows}


def test_a_run_works_from_another_folder(installed):
    shown = installed("run", "--task", "refcoco+", "--split", "val", "--limit", "4")
    assert "4 of 1056" in shown


def test_it_is_imported_by_the_name_of_the_distribution(installed, tmp_path):
    (tmp_path / "harness.py").write_text("raise SystemExit('not ours')")
    program = "import xvlm_eval; print(xvlm_eval.load_task('refcoco+').splits)"
    shown = installed(program, before=[tmp_path], script="-c")
    assert shown == "('val', 'testA', 'testB')\n"


def test_it_says_its_version(installed):
    assert installed("--version").startswith("xvlm-eval ")


def test_the_weights_of_the_project_stay_small():
    weights = [
        path
        for suffix in ("safetensors", "th", "pth", "pt")
        for path in (ROOT / "harness").rglob(f"*.{suffix}")
    ]
    assert 0 < sum(path.stat().st_size for path in weights) <= WEIGHTS
