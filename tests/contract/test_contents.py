"""The docstring of a folder is its table of contents: it names every module and folder in it."""

import ast
import re
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "harness"
FOLDERS = sorted(path.parent for path in HARNESS.rglob("__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(HARNESS.parent)))
def test_a_folder_names_what_is_in_it(folder):
    contents = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__"}
    folders = {path.parent.name for path in folder.glob("*/__init__.py")}
    named = set(re.findall(r"\w+", contents or ""))
    assert modules | folders <= named, f"not in the docstring: {(modules | folders) - named}"
