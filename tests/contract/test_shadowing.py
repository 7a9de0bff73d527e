"""A user's own `tasks` or `harness` that comes first on sys.path: the command still works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE, MODULE, BROKEN = "tasks/__init__.py", "tasks.py", "raise SystemExit('not ours')"


def started(folder, *words, first=True):
    """What a command prints in a folder that comes first on PYTHONPATH, and its exit code."""
    path = [str(folder), str(ROOT)] if first else [str(ROOT)]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def foreign(tmp_path):
    """Write a module of somebody else's, and return its folder."""

    def write(name, content=BROKEN):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("name", "command", "first"),  # first on the path, else in the current directory only
    [
        (PACKAGE, "harness.cli", True),
        (PACKAGE, "xvlm_eval", False),
        (MODULE, "harness.cli", False),
        (MODULE, "xvlm_eval", True),
    ],
)
def test_the_command_runs_beside_tasks_of_somebody_else(name, command, first, foreign):
    code, out, err = started(foreign(name), "-m", command, "list", first=first)
    assert code == 0, err
    assert "refcoco+" in out


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["harness/__init__.py", "harness.py"])
def test_the_entry_point_runs_beside_a_harness_of_somebody_else(name, first, foreign):
    # As the installed script starts it: the folder of the script is first on sys.path.
    program = "import sys; sys.path.pop(0); from xvlm_eval import main; sys.exit(main())"
    code, out, err = started(foreign(name), "-c", program, "list", first=first)
    assert code == 0, err
    assert "refcoco+" in out


@pytest.mark.parametrize("name", [PACKAGE, MODULE])
def test_tasks_of_somebody_else_that_are_imported_already_are_named_with_the_remedy(name, foreign):
    folder = foreign(name, "MINE = 1")
    program = "import sys, tasks; from harness.cli.main import main; sys.exit(main(['list']))"
    code, out, err = started(folder, "-c", program)
    assert (code, out) == (3, "")
    assert f"xvlm-eval: {folder / name}: shadows the package 'tasks' of xvlm-eval" in err
    assert f"{ROOT / 'tasks'}; rename it, or keep its folder out of PYTHONPATH" in err
    assert "Traceback" not in err


def test_once_a_task_is_found_packages_of_others_import_ours(foreign):
    """A package that registers a subclass of one of our tasks imports it by its usual name."""
    folder = foreign(PACKAGE)
    program = (
        "from harness.registry import find_task\n"
        "task = find_task('vqav2')\n"
        "from tasks.vqav2 import VQAv2\n"
        "print(type(task) is VQAv2)"
    )
    assert started(folder, "-c", program)[:2] == (0, "True\n")
