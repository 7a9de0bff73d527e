"""The check of the GitHub Action: a report in every format, a summary, annotations, outputs.

Reads the inputs of the action from the environment: RESULTS, BASELINE, ARGS (quoted as in a shell;
nothing is expanded), and writes the report into the folder REPORT. The exit code is that of
`xvlm-eval check`.
"""

import argparse
import os
import secrets
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.cli.check import perform, write_step_summary
from harness.cli.main import parser
from harness.drift.anchor import Checks, render_checks, summarise
from harness.errors import HarnessError, UsageError

FILES = {"terminal": "check.txt", "md": "check.md", "json": "check.json", "junit": "check.xml"}
ANNOTATED = 10  # as many as GitHub shows of a step


def main() -> int:
    """Check, and return the exit code."""
    report = Path(os.environ["REPORT"])
    try:
        checks = perform(_parsed(_arguments()))
    except HarnessError as error:
        _annotate("xvlm-eval check", str(error))
        _output(failed="true", summary=str(error), report=str(report))
        return error.exit_code
    report.mkdir(parents=True, exist_ok=True)
    texts = {format: render_checks(checks, format) for format in FILES}
    for format, name in FILES.items():
        (report / name).write_text(f"{texts[format]}\n", encoding="utf-8")
    token = secrets.token_hex(16)  # what a result says is not a command to GitHub
    log = "\n".join([texts["terminal"], *checks.baseline.remarks])
    print(f"::stop-commands::{token}\n{log}\n::{token}::")
    write_step_summary(checks)
    for title, message in _failures(checks)[:ANNOTATED]:
        _annotate(title, message)
    _output(failed=str(checks.failed).lower(), summary=summarise(checks), report=str(report))
    return 1 if checks.failed else 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    try:
        return parser().parse_args(arguments)
    except SystemExit as error:  # argparse has printed what it does not understand
        raise UsageError("args: are not arguments of `xvlm-eval check`; see the log") from error


def _arguments() -> list[str]:
    if not os.environ["RESULTS"].strip():  # GitHub does not enforce `required`
        raise UsageError("results: is empty; name the folder that `xvlm-eval run --out` wrote")
    try:
        further = shlex.split(os.environ.get("ARGS", ""))
    except ValueError as error:
        raise UsageError(f"args: {error}; quote them as in a shell") from error
    baseline = os.environ.get("BASELINE")
    chosen = [f"--baseline={baseline}"] if baseline else []
    return ["check", *further, *chosen, "--", os.environ["RESULTS"]]


def _failures(checks: Checks) -> list[tuple[str, str]]:
    """Return the title and the reason of each failing cell, those beside the anchor last."""
    failures = []
    for outcome, where in ((checks.baseline, ""), (checks.anchor, ", beside the anchor")):
        for cell in outcome.cells if outcome else ():
            if cell.failing:
                names = (cell.checkpoint, cell.task, cell.split, cell.metric)
                title = " ".join(filter(None, names)) or "a file"
                values = f"baseline {cell.baseline}, now {cell.now}"
                failures.append((title, f"{cell.verdict}{where}: {cell.reason or values}"))
    if checks.history is not None and checks.history.failed:
        failures.append(("history", checks.history.summary))
    return failures or ([("xvlm-eval check", summarise(checks))] if checks.failed else [])


def _annotate(title: str, message: str) -> None:
    """Print an error that GitHub shows beside the step; escaped, as its commands are lines."""
    print(f"::error title={_escape(title, property=True)}::{_escape(message)}")


def _escape(text: str, *, property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property else text


def _output(**values: str) -> None:
    """Set outputs of the step, one line each."""
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            for name, value in values.items():
                file.write(f"{name}={' '.join(value.split())}\n")


if __name__ == "__main__":
    sys.exit(main())
