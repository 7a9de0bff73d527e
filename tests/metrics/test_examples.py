"""The examples in the documentation of metrics and statistics are right."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

from harness import metrics, statistics

ELSEWHERE = ("captions", "measured_captions")  # in `test_caption_eval`, which has loaded METEOR
NO_EXAMPLES = {  # they start or feed a program, or read and write files
    "java_environment",
    "java_on_path",
    "begin_meteor_trial",
    "meteor_scorer",
    "paraphrases_of",
    "phrase_lines",
    "index_of",
    "write_index",
    "lines_from_index",
}
MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (metrics, statistics)
    for module in pkgutil.iter_modules(package.__path__)
    if module.name not in ELSEWHERE
]


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_has_an_example_and_it_is_right(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
    assert {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and ">>>" not in inspect.getdoc(function)
    } <= NO_EXAMPLES
