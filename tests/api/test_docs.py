"""Every example of docs/python.md, and of the docstrings of the Python interface, is right."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import harness
import harness.api
from harness import metrics

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = [f"harness.api.{module.name}" for module in pkgutil.iter_modules(harness.api.__path__)]


def blocks() -> list[tuple[int, str]]:
    """Return the Python blocks of the page, each with the number of its line."""
    text = PAGE.read_text(encoding="utf-8")
    return [
        (text[: match.start(1)].count("\n"), match[1])
        for match in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)
    ]


def test_the_examples_of_the_page_are_right():
    """They share their names, so that a model is loaded once."""
    names: dict = {}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for line, block in blocks():
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, names, "python.md", str(PAGE), line)
            runner.run(test, clear_globs=False)
            names = test.globs
    assert runner.failures == 0 and runner.tries > 30


def test_a_script_of_ten_lines_draws_the_wrong_boxes(tmp_path, monkeypatch):
    ((_, script),) = (block for block in blocks() if ">>>" not in block[1])
    assert len([line for line in script.splitlines() if line]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "script", "exec"), {})
    drawn = sorted(path.name for path in (tmp_path / "wrong").iterdir())
    assert drawn and all((tmp_path / "wrong" / name).stat().st_size > 1000 for name in drawn)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_are_right(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=OPTIONS).failed == 0


@pytest.mark.parametrize("name", [*harness.__all__, *metrics.__all__])
def test_every_function_and_every_method_is_on_the_page_or_described(name):
    text = PAGE.read_text(encoding="utf-8")
    if name.islower():
        assert re.search(rf"\b{name}\b", text), name
    found = getattr(harness, name, None) or getattr(metrics, name)
    for member, value in vars(found).items() if isinstance(found, type) else ():
        if not member.startswith("_") and (callable(value) or isinstance(value, property)):
            assert value.__doc__, f"{name}.{member}"


@pytest.mark.parametrize(
    "name", ["load_model", "load_task", "evaluate", "score", "read_results", "compare"]
)
def test_every_function_is_called_on_the_page(name):
    assert any(f"{name}(" in block for _, block in blocks() if ">>>" in block)
