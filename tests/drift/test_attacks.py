"""What tries to mislead the gate, and what it says to it: the rows of the table in the docs."""

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.drift.attacks import ATTACKS, prepare, table
from tests.support.altered import copied

BASELINE = Path(__file__).parents[2] / "results"
DOCS = Path(__file__).parents[2] / "docs" / "drift.md"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
def test_every_attack_ends_in_its_verdict(attack, tmp_path, capsys):
    stems = list(attack.changes)
    before = copied(BASELINE, tmp_path / "before", *stems)
    now = copied(BASELINE, tmp_path / "now", *stems)
    prepare(before, now, attack)
    arguments = [str(now), "--baseline", str(before), *attack.flags, "--format", "json"]
    code = main(["check", *arguments])
    cells = {
        f"{cell['task']} {cell['split']} {cell['metric']}".strip(): cell["verdict"]
        for cell in json.loads(capsys.readouterr().out)["cells"]
    }
    assert (cells.get(attack.cell), code) == (attack.verdict, attack.code), cells


def test_the_documentation_has_a_row_for_every_attack():
    start = "| attack | cell | verdict | code |"
    lines = DOCS.read_text().splitlines()
    begin = lines.index(start) + 2
    end = next(n for n in range(begin, len(lines)) if not lines[n].startswith("|"))
    assert lines[begin:end] == table()
