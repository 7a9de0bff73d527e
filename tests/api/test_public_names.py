"""The names that `import harness` and `import xvlm_eval` offer, and what importing them loads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import harness
import xvlm_eval
from tests.support.loaded import HEAVY

ROOT = Path(__file__).parents[2]
PUBLIC = [
    "Comparison",
    "LoadedModel",
    "LoadedTask",
    "Result",
    "ResultSample",
    "Results",
    "compare",
    "errors",
    "evaluate",
    "load_model",
    "load_task",
    "metrics",
    "read_results",
    "score",
]


def modules_after(program: str) -> set[str]:
    """Return the modules that a process has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return set(done.stdout.splitlines())


def test_the_public_names_are_a_closed_list():
    assert harness.__all__ == xvlm_eval.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(harness)) and set(PUBLIC) <= set(dir(xvlm_eval))


def test_a_star_imports_the_public_names_alone():
    names: dict[str, object] = {}
    exec("from xvlm_eval import *", names)
    assert names.keys() - {"__builtins__"} == set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_both_modules_offer_the_same_objects_with_a_docstring(name):
    assert getattr(harness, name) is getattr(xvlm_eval, name)
    assert getattr(harness, name).__doc__


@pytest.mark.parametrize("module", [harness, xvlm_eval])
def test_another_name_is_no_attribute(module):
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        _ = module.evaluat


@pytest.mark.parametrize("module", ["harness", "xvlm_eval"])
def test_importing_loads_no_other_package_and_nothing_of_this_one(module):
    loaded = modules_after(f"import {module}")
    assert not loaded & {*HEAVY, "msgspec", "requests"}
    assert {name for name in loaded if name.split(".")[0] == "harness"} <= {"harness"}
    assert len(loaded - modules_after("from typing import TYPE_CHECKING")) < 40


@pytest.mark.parametrize(
    "name, absent",
    [
        ("read_results", {"torch", "transformers", "datasets", "pandas"}),
        ("compare", {"torch", "transformers", "datasets", "pandas"}),
        ("evaluate", {"torch", "transformers", "datasets", "pandas"}),
        ("load_model", {"torch", "transformers", "datasets", "pandas"}),
    ],
)
def test_a_function_loads_what_it_needs_when_it_is_called(name, absent):
    assert not modules_after(f"from harness import {name}") & absent


def test_a_harness_of_somebody_else_that_is_imported_already_is_named(tmp_path):
    (tmp_path / "harness.py").write_text("MINE = 1")
    program = "import harness, xvlm_eval\nassert harness.MINE\nxvlm_eval.evaluate"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )
    assert done.returncode == 1
    message = f"{tmp_path / 'harness.py'}: another package `harness` is imported already"
    assert message in done.stderr


def test_a_harness_of_somebody_else_first_on_the_path_is_passed_over(tmp_path):
    (tmp_path / "harness.py").write_text("raise SystemExit('not ours')")
    program = "import xvlm_eval\nprint(xvlm_eval.load_task('refcoco+').splits)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )
    assert done.stdout == "('val', 'testA', 'testB')\n"
