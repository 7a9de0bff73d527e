"""The command `xvlm-eval`: its verbs, what they print, and with which code they end. The only module that prints.

Results go to the standard output, everything else to the error output. Nothing heavy is imported before a verb needs it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

EXIT_CODES = """exit codes:
  0  ok
  1  a check failed
  2  the command line asks for something that does not exist
  3  data, weights or packages are missing or not as they should be
  4  the run failed
  130  interrupted (what was predicted is kept; the same command goes on)"""

OUT = "runs"  # where `run` writes and `table` reads, below the current folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _guarded(options)
    except BrokenPipeError:  # the reader of our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _guarded(options: argparse.Namespace) -> int:
    """Run the verb; an error becomes a message and an exit code, with a stack trace only for --debug."""
    from harness.errors import HarnessError

    try:
        code: int = options.verb(options)
        sys.stdout.flush()
        return code
    except HarnessError as error:
        if options.debug:
            raise
        print(f"xvlm-eval: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if options.debug:
            raise
        print("xvlm-eval: interrupted; what was predicted is kept, run the same command to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        if options.debug:
            raise
        print(
            f"xvlm-eval: this should not have happened ({type(error).__name__}: {error}); "
            "run it again with --debug and report what it prints",
            file=sys.stderr,
        )
        return 4


def _run(options: argparse.Namespace) -> int:
    """Evaluate tasks and print what came out."""
    from harness import launch, report
    from harness.progress import Progress
    from harness.results import read_record

    request = launch.Request(
        tasks=options.task,
        splits=options.split,
        checkpoint=options.checkpoint,
        data=options.data,
        out=Path(options.out),
        limit=options.limit,
        batch_size=options.batch_size,
        device=options.device,
        dtype=options.dtype,
        workers=options.workers or launch.default_workers(),
        fresh=options.fresh,
    )
    print(launch.notice(request), file=sys.stderr, flush=True)
    plan = launch.make_plan(request)
    rows = []
    try:
        for path in launch.carry_out(plan, request, watch=lambda label: Progress(label, sys.stderr)):
            rows += report.record_rows(read_record(path), path)
    finally:  # what came before an error is a result nevertheless
        if rows:
            print(report.render([report.Table("results", "Results", rows, report.RECORD_COLUMNS)], "terminal"))
    return 0


def _table(options: argparse.Namespace) -> int:
    """Print results beside the published numbers."""
    from harness import report, table
    from harness.errors import DataError, MissingError
    from harness.results import find_records, read_record

    folder = Path(options.results or options.out or OUT)
    if not folder.is_dir() and (options.results or options.out):
        raise MissingError(f"{folder}: no such folder of results; `xvlm-eval run --task refcoco+ --out {folder}` makes one")
    records, damaged = [], 0
    for path in find_records(folder):
        try:
            records.append(read_record(path))
        except DataError as error:
            damaged = error.exit_code
            print(f"left out: {error}", file=sys.stderr)
    if not records:
        print(f"{folder}: no results yet; `xvlm-eval run --task refcoco+` makes some", file=sys.stderr)
    for reason in table.left_out(records):
        print(f"left out: {reason}", file=sys.stderr)
    records = table.in_order(records)
    shapes = table.shapes_rows(records)
    if options.layout == "paper":
        rows = table.paper_rows(records, checkpoint=options.checkpoint)
        tables = [report.Table("paper", f"{table.paper().source}: published and measured", rows, report.PAPER_COLUMNS)]
    else:
        rows = table.leaderboard_rows(records)
        tables = report.leaderboard(rows)
    if options.format == "json":
        print(report.render_json({"layout": options.layout, "rows": rows, "shapes": shapes}))
    else:
        apart = [report.Table("shapes", report.SHAPES_TITLE, shapes, report.SHAPES_COLUMNS)] if shapes else []
        print(report.render([*apart, *tables], options.format))
    return damaged


def _list(options: argparse.Namespace) -> int:
    """Print the tasks and the checkpoints that can be named."""
    from harness import checkpoints, report
    from harness.registry import find_task, task_names

    tasks = []
    for name in task_names():
        task = find_task(name)
        tasks.append(
            {
                "task": name,
                "splits": " ".join(task.splits),
                "metric": task.primary,
                "needs": task.needs.__name__,
                "version": task.version,
            }
        )
    entries = [
        {"checkpoint": entry.name, "title": entry.title, "licence": entry.licence, "tasks": " ".join(entry.files)}
        for entry in checkpoints.entries().values()
    ]
    if options.format == "json":
        print(report.render_json({"tasks": tasks, "checkpoints": entries}))
        return 0
    tables = [
        report.Table(name, name.capitalize(), rows, {key: key for key in rows[0]})
        for name, rows in (("tasks", tasks), ("checkpoints", entries))
    ]
    print(report.render(tables, options.format))
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="on an error, print the stack trace")
    parser = argparse.ArgumentParser(
        prog="xvlm-eval",
        description="Evaluate vision-language models of the X-VLM family by their own protocols.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_run(verbs.add_parser("run", parents=[common], help="evaluate a checkpoint on tasks"))
    _add_table(verbs.add_parser("table", parents=[common], help="show results beside the published numbers"))
    lists = verbs.add_parser("list", parents=[common], help="show the tasks and checkpoints there are")
    lists.add_argument("--format", choices=("terminal", "md", "json"), default="terminal")
    lists.set_defaults(verb=_list)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.set_defaults(verb=_run)
    run.add_argument("--task", action="append", default=[], metavar="NAME", help="a task, several (repeat, or a,b), or all")
    run.add_argument("--split", action="append", default=[], metavar="NAME", help="a split of each task; default: all of its splits")
    run.add_argument(
        "--checkpoint",
        metavar="NAME|PATH",
        help="an entry of checkpoints.yaml, or a weight file; default: the paper's, on shapes xvlm-shapes",
    )
    run.add_argument(
        "--data",
        metavar="DIR",
        help="folder of the benchmark files; default: XVLM_EVAL_DATA, the configuration file, else the embedded benchmark",
    )
    run.add_argument("--out", metavar="DIR", default=OUT, help=f"folder for predictions and records; default: {OUT}")
    run.add_argument(
        "--limit",
        type=_positive,
        metavar="N",
        help="evaluate only N samples, drawn by a stable hash: a subset, never a result",
    )
    run.add_argument(
        "--batch-size",
        type=_positive,
        default=32,
        metavar="N",
        help="samples computed together; changes speed, not results; default: 32",
    )
    run.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N; default: auto")
    run.add_argument(
        "--dtype",
        choices=("float32", "tf32", "float16", "bfloat16"),
        default="float32",
        help="precision of matrix products; kept in the record",
    )
    run.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="threads that decode images; default: the number of cores, at most 4",
    )
    run.add_argument("--fresh", action="store_true", help="discard an earlier run's predictions instead of going on with them")


def _add_table(table: argparse.ArgumentParser) -> None:
    table.set_defaults(verb=_table)
    table.add_argument("results", nargs="?", metavar="DIR", help=f"folder that `run --out` wrote; default: {OUT}")
    table.add_argument("--out", metavar="DIR", help="the same, by the name it has in `run`")
    table.add_argument(
        "--layout",
        choices=("paper", "leaderboard"),
        default="paper",
        help="the paper's 53 rows, or checkpoints by tasks; default: paper",
    )
    table.add_argument("--format", choices=("terminal", "md", "csv", "latex", "html", "json"), default="terminal")
    table.add_argument("--checkpoint", metavar="NAME", help="fill the paper's rows from this checkpoint instead of the paper's own")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


class _Version(argparse.Action):
    """Print the version of the installed package, looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from harness.provenance import release

        print(f"xvlm-eval {release() or '(not installed)'}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
