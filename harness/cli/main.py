"""The command `xvlm-eval`: read the command line, have the verb done (`harness/cli/`), end with a code that says how that went."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from harness.cli.arguments import parser
from harness.cli.console import drop, say

INTERRUPTED = 130  # what a shell makes of Ctrl-C
VERBS = {  # verb -> module of `harness.cli`, and function in it: imported when it is asked for
    "run": ("running", "run"),
    "bench": ("running", "bench"),
    "table": ("results", "table"),
    "check": ("results", "check"),
    "diff": ("results", "diff"),
    "score": ("results", "score"),
    "import-score": ("results", "import_score"),
    "list": ("supplies", "list_all"),
    "data": ("supplies", "data"),
    "fetch": ("supplies", "fetch"),
    "checkpoint": ("supplies", "checkpoint"),
    "doctor": ("supplies", "doctor"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(
            stream, "reconfigure"
        ):  # a terminal that cannot show a letter is no reason to stop
            stream.reconfigure(errors="replace")
    # Read when torch is first imported: the same bits from matrix products however many threads a process has.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    options = parser().parse_args(arguments)
    try:
        return _guarded(options)
    except BrokenPipeError:  # the reader of our output (`| head`) has seen enough
        drop(sys.stdout)
        return 0


def _guarded(options: argparse.Namespace) -> int:
    """Run the verb; an error becomes a message and an exit code, with a stack trace only for --debug."""
    from harness.errors import HarnessError

    try:
        module, function = VERBS[options.verb]
        code = getattr(importlib.import_module(f"harness.cli.{module}"), function)(options)
        sys.stdout.flush()
        return int(code)
    except HarnessError as error:
        return _failed(options, str(error), code=error.exit_code)
    except KeyboardInterrupt:
        again = "run the same command" + (
            " without --fresh" if getattr(options, "fresh", False) else ""
        )
        return _failed(
            options, f"interrupted; what was predicted is kept, {again} to go on", code=INTERRUPTED
        )
    except BrokenPipeError:
        raise
    except Exception as error:
        message = f"this should not have happened ({type(error).__name__}: {error})"
        if not options.debug:
            message += "; run it again with --debug and report what it prints"
        return _failed(options, message, code=HarnessError.exit_code)


def _failed(options: argparse.Namespace, message: str, *, code: int) -> int:
    """Say what went wrong; called while the error is being handled."""
    if options.debug:
        import traceback

        say(traceback.format_exc().rstrip())
    say(f"xvlm-eval: {message}")
    return code


if __name__ == "__main__":
    sys.exit(main())
