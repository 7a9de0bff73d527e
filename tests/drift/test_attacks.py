"""What tries to mislead the gate, and what it says to it: the rows of the table in the docs."""

from pathlib import Path

import pytest

from harness.cli import check
from harness.cli.main import parser
from tests.drift.attacks import ATTACKS, prepare, table
from tests.support.altered import copied

BASELINE = Path(__file__).parents[2] / "results"
DOCS = Path(__file__).parents[2] / "docs" / "error-rates.md"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
def test_every_attack_ends_in_its_verdict(attack, tmp_path):
    """By the command without its output, of which `test_check_output.py` is the test."""
    stems = list(attack.changes)
    before = copied(BASELINE, tmp_path / "before", *stems)
    now = copied(BASELINE, tmp_path / "now", *stems)
    prepare(before, now, attack)
    arguments = [str(now), "--baseline", str(before), *attack.flags]
    checks = check.perform(parser().parse_args(["check", *arguments]))
    cells = {
        f"{cell.task} {cell.split} {cell.metric}".strip(): str(cell.verdict)
        for cell in checks.baseline.cells
    }
    found = (cells.get(attack.cell), 1 if checks.failed else 0)
    assert found == (attack.verdict, attack.code), cells


def test_the_documentation_has_a_row_for_every_attack():
    start = "| attack | cell | verdict | code |"
    lines = DOCS.read_text().splitlines()
    begin = lines.index(start) + 2
    end = next(n for n in range(begin, len(lines)) if not lines[n].startswith("|"))
    assert lines[begin:end] == table()
