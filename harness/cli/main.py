"""The command line: parse it, run the verb, and turn its outcome into an exit code."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType

from harness.cli import (
    baseline,
    bench,
    check,
    checkpoint,
    data,
    diff,
    doctor,
    export,
    fetch,
    flags,
    import_score,
    list,
    overview,
    power,
    report,
    run,
    score,
    show,
    table,
)
from harness.cli.console import discard, say

VERBS: dict[str, ModuleType] = {
    "run": run,
    "table": table,
    "show": show,
    "report": report,
    "export": export,
    "check": check,
    "baseline": baseline,
    "diff": diff,
    "power": power,
    "score": score,
    "import-score": import_score,
    "checkpoint": checkpoint,
    "bench": bench,
    "data": data,
    "fetch": fetch,
    "doctor": doctor,
    "list": list,
}
MAX_LINES, MAX_LINE = 200, 1000  # lines of an error message, and characters of a line
SPLIT = "--split"
INTERRUPTED = 130  # as a shell reports Ctrl-C
EXIT_CODES = """exit codes:
  0  ok
  1  a check failed
  2  the command line names something that does not exist
  3  data, weights or packages are missing or invalid
  4  the run failed
  130  interrupted (what was predicted is kept; the same command, without --fresh, continues)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter shows a question mark instead of ending the run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # Read when torch is first imported: makes matrix products the same bits for any number of
    # threads.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    words = sys.argv[1:] if arguments is None else arguments
    options = parser(_verb(words)).parse_args(words)
    if blank := _blank_argument(words):
        message = f"{blank} is empty, and names nothing; is a variable of the shell not set?"
        return _fail(options, message, code=2)  # the code of UsageError
    try:
        return _run(options)
    except BrokenPipeError:  # the reader of our output (`| head`) has seen enough
        discard(sys.stdout)
        return 0


def _blank_argument(arguments: Sequence[str]) -> str | None:
    """Return what to call the first argument without a letter: its flag, if it is the value of one.

    A blank value would be taken for a flag that is not given. A blank split means all of them.
    """
    for number, word in enumerate(arguments):
        flag, equals, value = word.partition("=")
        before = arguments[number - 1] if number else ""
        if SPLIT in (flag, before):
            continue
        if flag.startswith("--") and equals and not value.strip():
            return flag
        if not word.strip():
            return before if before.startswith("-") else f"argument {number}"
    return None


def _verb(words: Sequence[str]) -> str | None:
    """Return the verb of a command line: its first word that is not a flag, if it is a verb."""
    first = next((word for word in words if not word.startswith("-")), None)
    return first if first in VERBS else None


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line, with the flags of one verb, or of all of them.

    `verb` of its result is the name of the verb, None without one.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="on an error, print the stack trace")
    parser = argparse.ArgumentParser(
        prog="xvlm-eval",
        description="Evaluate vision-language models of the X-VLM family by their own protocols.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(debug=False)
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb")
    for name, module in VERBS.items():
        description = f"{module.HELP[0].upper()}{module.HELP[1:]}."
        added = verbs.add_parser(name, parents=[common], help=module.HELP, description=description)
        if verb in (None, name):
            module.add_arguments(added)
    return parser


def _run(options: argparse.Namespace) -> int:
    """Run the verb; an error becomes a message and an exit code, with --debug also a trace."""
    from harness.errors import HarnessError

    try:
        if options.verb is None:
            return overview.run()
        with _links(options), _included(options):
            code = VERBS[options.verb].run(options)
        sys.stdout.flush()
        return int(code)
    except HarnessError as error:
        return _fail(options, str(error), code=error.exit_code)
    except KeyboardInterrupt:
        fresh = " without --fresh" if getattr(options, "fresh", False) else ""
        message = f"interrupted; what was predicted is kept, run the same command{fresh} to go on"
        return _fail(options, message, code=INTERRUPTED)
    except BrokenPipeError:
        raise
    except SystemExit as error:  # no verb raises it: a plugin does, or a package that it imports
        message = f"the code of a plugin or a package ended Python (SystemExit: {error})"
        return _fail(options, message, code=HarnessError.exit_code)
    except Exception as error:
        message, code = _unexpected(options, error)
        return _fail(options, message, code=code)


def _is_no_path(error: Exception) -> bool:
    """Return whether the operating system refuses a path: too long, a NUL, circular links."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENAMETOOLONG, errno.ELOOP)
    if isinstance(error, RuntimeError):  # of `Path.resolve`, by Python 3.11 and 3.12
        return str(error).startswith("Symlink loop")
    return isinstance(error, ValueError) and "embedded null" in str(error)


def _unexpected(options: argparse.Namespace, error: Exception) -> tuple[str, int]:
    """Return a message about an error that no verb expects, and its exit code.

    It is of an argument, of a plugin, of a file that this user may not touch, or a bug.
    """
    from harness.errors import DataError, HarnessError, UsageError
    from harness.running.plugin_errors import describe_plugin_error

    if _is_no_path(error):
        return f"an argument is not a valid path ({error})", UsageError.exit_code
    if message := describe_plugin_error(error):
        return message, HarnessError.exit_code
    if isinstance(error, PermissionError):
        where = "a file" if error.filename is None else error.filename
        return (
            f"{where}: {error.strerror}; may this user read and write there?",
            DataError.exit_code,
        )
    message = f"this should not have happened ({type(error).__name__}: {error})"
    if not options.debug:
        message += "; run it again with --debug and report what it prints"
    return message, HarnessError.exit_code


def _links(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Allow the links of `--allow-links`, where a verb has it and it is given."""
    folders = [flags.path(folder) for folder in getattr(options, "allow_links", ())]
    if not folders:
        return nullcontext()
    from harness.errors import UsageError
    from harness.images import allowing_links

    if missing := [folder for folder in folders if not folder.is_dir()]:
        raise UsageError(f"--allow-links {missing[0]}: no such folder")
    return allowing_links(folders)


def _included(options: argparse.Namespace) -> AbstractContextManager[None]:
    """Add the files of `--include`, where a verb has it and it is given."""
    if not (paths := getattr(options, "include", ())):
        return nullcontext()
    from harness.checkpoints import including

    return including(paths)


def _fail(options: argparse.Namespace, message: str, *, code: int) -> int:
    """Print the error that is being handled, and return its exit code."""
    if options.debug:
        import traceback

        say(traceback.format_exc().rstrip())
    lines = message.split("\n")
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"  ... and {len(lines) - MAX_LINES} more"]
    say("xvlm-eval: " + "\n".join(map(_shortened, lines)))
    return code


def _shortened(line: str) -> str:
    """Return a line that no content of a file makes endless: its beginning and its end."""
    half = MAX_LINE // 2
    return line if len(line) <= MAX_LINE else f"{line[:half]} ... {line[-half:]}"


class _Version(argparse.Action):
    """Print the version of the installed package, looked up only where the flag is given."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from harness.records.provenance import release

        # Not by `parser.exit`, which prints to the error stream.
        sys.stdout.write(f"xvlm-eval {release() or '(not installed)'}\n")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
