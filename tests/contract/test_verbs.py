"""The verbs of the command: one file each, and help without anything heavy."""

from pathlib import Path

import pytest

import harness.cli
from harness.cli.main import VERBS, main
from tests.support.loaded import HEAVY, loaded_by

ROOT = Path(__file__).parents[2]

SHARED = {
    *("__init__", "__main__", "main", "overview"),
    *("flags", "own", "console", "output", "outcomes", "left_out"),
}


def test_each_verb_is_a_file_and_each_other_file_is_known():
    files = {path.stem for path in (ROOT / "harness/cli").glob("*.py")}
    assert files - SHARED == {name.replace("-", "_") for name in VERBS}
    assert all(f"{name}.py" in harness.cli.__doc__ for name in files - {"__init__", "__main__"})


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_explains_every_flag(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"usage: xvlm-eval {name}" in shown and "--debug" in shown


def test_the_help_of_a_verb_loads_nothing_heavy():
    assert not loaded_by("run", "--help") & HEAVY
