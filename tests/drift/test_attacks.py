"""What tries to mislead the gate, and what it says to it: the rows of the table in the docs."""

from pathlib import Path

import pytest

from harness.cli.main import main
from harness.drift.check import check
from harness.drift.settings import read_gate
from tests.drift.attacks import ATTACKS, prepare, table
from tests.support.altered import CHECKPOINT, copied

BASELINE = Path(__file__).parents[2] / "results"
DOCS = Path(__file__).parents[2] / "docs" / "drift.md"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
def test_every_attack_ends_in_its_verdict(attack, tmp_path, capsys):
    stems = list(attack.changes)
    before = copied(BASELINE, tmp_path / "before", *stems)
    now = copied(BASELINE, tmp_path / "now", *stems)
    prepare(before, now, attack)
    code = main(["check", str(now), "--baseline", str(before), *attack.flags])
    output = capsys.readouterr().out
    outcome = check(now, before, gate=read_gate(before)) if not attack.flags else None
    assert code == attack.code, output
    row = next(line for line in output.splitlines() if attack.verdict in line)
    assert row
    if outcome:
        verdicts = {
            f"{cell.task} {cell.split} {cell.metric}".strip(): cell.verdict
            for cell in outcome.cells
        }
        assert verdicts[attack.cell] == attack.verdict, verdicts


def test_the_documentation_has_a_row_for_every_attack():
    start = "| attack | cell | verdict | code |"
    lines = DOCS.read_text().splitlines()
    begin = lines.index(start) + 2
    end = next(n for n in range(begin, len(lines)) if not lines[n].startswith("|"))
    assert lines[begin:end] == table()
