"""What the tests of `check` share: its verdicts, and software that is another one."""

import json

from harness.cli.main import main

# With another package the same predictions are no longer due, and metrics are tested.
ELSEWHERE = {"torch": "9.9.9"}


def verdicts(outcome):
    return {f"{cell.task} {cell.split} {cell.metric}": cell.verdict for cell in outcome.cells}


def checked(capsys, *arguments):
    """Exit code and JSON of a check."""
    capsys.readouterr()
    code = main(["check", *map(str, arguments), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)
