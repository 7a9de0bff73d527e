"""The examples in docstrings are right, in all modules whose own tests do not run them."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {  # run by the tests of these folders and files
    *("harness/api", "harness/metrics", "harness/statistics"),
    *("harness/bench/end_to_end.py", "harness/export/trackers.py"),
}
PATHS = [
    path.relative_to(ROOT)
    for folder in ("harness", "tasks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
OTHERS = [path for path in PATHS if not {path, *path.parents} & set(map(Path, ELSEWHERE))]


@pytest.mark.parametrize("path", OTHERS, ids=str)
def test_the_examples_in_docstrings_are_right(path):
    outcome = doctest.testmod(importlib.import_module(".".join(path.with_suffix("").parts)))
    assert outcome.attempted and not outcome.failed
