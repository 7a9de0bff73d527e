"""The words of the command line: verbs, flags, their help and what they mean when left out. Nothing heavy is imported here."""

import argparse
import sys
from collections.abc import Sequence

EXIT_CODES = """exit codes:
  0  ok
  1  a check failed
  2  the command line asks for something that does not exist
  3  data, weights or packages are missing or not as they should be
  4  the run failed
  130  interrupted (what was predicted is kept; the same command, without --fresh, goes on)"""

OUT = "runs"  # where `run` writes and `table` reads, below the current folder
LAYOUTS = ("paper", "leaderboard", "shapes")
DTYPES = ("float32", "tf32", "float16", "bfloat16")
FORMATS = ("terminal", "md", "csv", "latex", "html", "json")


def parser() -> argparse.ArgumentParser:
    """Return the parser; what it parses has the name of its verb in `verb`."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="on an error, print the stack trace")
    whole = argparse.ArgumentParser(
        prog="xvlm-eval",
        description="Evaluate vision-language models of the X-VLM family by their own protocols.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action=_Version, help="show the version and exit")
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    _add_run(verbs.add_parser("run", parents=[common], help="evaluate a checkpoint on tasks"))
    _add_table(
        verbs.add_parser(
            "table", parents=[common], help="show results beside the published numbers"
        )
    )
    _add_check(
        verbs.add_parser(
            "check",
            parents=[common],
            help="compare results with a baseline; exit code 1 where a metric has drifted",
        )
    )
    _add_diff(
        verbs.add_parser(
            "diff",
            parents=[common],
            help="show which samples changed between two results, and what else did",
        )
    )
    _add_score(
        verbs.add_parser(
            "score",
            parents=[common],
            help="score stored predictions, ours or in a benchmark's own format",
        )
    )
    _add_import_score(
        verbs.add_parser(
            "import-score",
            parents=[common],
            help="take a server's number into the results, with its receipt",
        )
    )
    _add_checkpoint(
        verbs.add_parser(
            "checkpoint", parents=[common], help="say what a weight file holds, and whether it fits"
        )
    )
    _add_bench(
        verbs.add_parser(
            "bench",
            parents=[common],
            help="time the engine beside the literal algorithm of the paper's code",
        )
    )
    _add_data(
        verbs.add_parser(
            "data",
            parents=[common],
            help="say what of the benchmark files is there, and where to get the rest",
        )
    )
    _add_fetch(
        verbs.add_parser(
            "fetch",
            parents=[common],
            help="download what the tasks need and can be had without asking",
        )
    )
    _add_doctor(
        verbs.add_parser(
            "doctor",
            parents=[common],
            help="say whether a run can go on this machine, and what to do if not",
        )
    )
    _add_list(
        verbs.add_parser("list", parents=[common], help="show the tasks and checkpoints there are")
    )
    return whole


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help="a task, several (repeat, or a,b), or all",
    )
    run.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME",
        help="a split of each task; default: all of its splits",
    )
    run.add_argument(
        "--checkpoint",
        metavar="NAME|PATH",
        help="an entry of checkpoints.yaml, or a weight file; default: the paper's, on shapes xvlm-shapes",
    )
    run.add_argument(
        "--data",
        metavar="DIR",
        help="folder of the benchmark files, or hf (hf:REPOSITORY@REVISION) for copies on Hugging Face's hub; "
        "default: XVLM_EVAL_DATA, the configuration file, else the embedded benchmark",
    )
    run.add_argument(
        "--out",
        metavar="DIR",
        default=OUT,
        help=f"folder for predictions and records; default: {OUT}",
    )
    run.add_argument(
        "--limit",
        type=_positive,
        metavar="N",
        help="evaluate only N samples, drawn by a stable hash: a subset, never a result",
    )
    run.add_argument(
        "--batch-size",
        type=_batch_size,
        default="auto",
        metavar="N|auto",
        help="samples computed together: the metrics stay, the last digits of a predicted float may not; default: auto, by free memory",
    )
    run.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N; default: auto"
    )
    run.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="precision of matrix products, kept in the record; the paper's rows take float32 and tf32; default: float32",
    )
    run.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="threads that decode images; default: the number of cores, at most 16",
    )
    run.add_argument(
        "--on-error",
        choices=("fail", "skip"),
        default="fail",
        help="where an image cannot be read: end the run, or go on and count its samples as wrong, listed in the record; default: fail",
    )
    run.add_argument(
        "--plan",
        action="store_true",
        help="predict nothing: print how much there is to do, the memory and the time for it",
    )
    run.add_argument(
        "--format", choices=("terminal", "md", "json"), default="terminal", help="default: terminal"
    )
    run.add_argument(
        "--fresh",
        action="store_true",
        help="discard an earlier run's predictions instead of going on with them",
    )


def _add_table(table: argparse.ArgumentParser) -> None:
    table.add_argument(
        "results", nargs="?", metavar="DIR", help=f"folder that `run --out` wrote; default: {OUT}"
    )
    table.add_argument("--out", metavar="DIR", help="the same, by the name it has in `run`")
    table.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="paper",
        help="the paper's 53 rows, checkpoints by tasks, or the embedded benchmark alone; default: paper",
    )
    table.add_argument(
        "--suite", choices=("shapes",), dest="layout", help="the same as --layout shapes"
    )
    table.add_argument("--format", choices=FORMATS, default="terminal", help="default: terminal")
    table.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="fill the paper's rows from this checkpoint instead of the paper's own",
    )


def _add_check(check: argparse.ArgumentParser) -> None:
    check.add_argument(
        "results",
        nargs="?",
        metavar="RESULTS",
        default=OUT,
        help=f"folder that `run --out` wrote; default: {OUT}",
    )
    check.add_argument(
        "--baseline",
        metavar="DIR",
        help="another such folder; default: the results that come with this project (shapes)",
    )
    check.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="compare with the baselines of this checkpoint, whatever the results are of",
    )
    check.add_argument(
        "--require-all", action="store_true", help="fail also where a baseline has no result"
    )
    check.add_argument(
        "--format",
        choices=("terminal", "md", "json", "junit"),
        default="terminal",
        help="default: terminal",
    )


def _add_diff(diff: argparse.ArgumentParser) -> None:
    diff.add_argument(
        "before",
        metavar="A",
        help="a record (<task>.<split>.json), or a folder that `run --out` wrote",
    )
    diff.add_argument("after", metavar="B", help="another one")
    diff.add_argument(
        "--limit",
        type=_positive,
        default=20,
        metavar="N",
        help="samples to show of each result; default: 20",
    )
    diff.add_argument(
        "--format", choices=("terminal", "md", "json"), default="terminal", help="default: terminal"
    )


def _add_score(score: argparse.ArgumentParser) -> None:
    score.add_argument("--task", required=True, metavar="NAME")
    score.add_argument("--split", required=True, metavar="NAME")
    score.add_argument(
        "--predictions",
        required=True,
        metavar="FILE",
        help="a prediction file of `run`, or official results",
    )
    score.add_argument(
        "--data",
        metavar="DIR",
        help="folder of the benchmark files; images are not needed; default: as for `run`",
    )
    score.add_argument(
        "--format", choices=("terminal", "md", "json"), default="terminal", help="default: terminal"
    )


def _add_import_score(take: argparse.ArgumentParser) -> None:
    take.add_argument("--task", required=True, metavar="NAME")
    take.add_argument("--split", required=True, metavar="NAME")
    take.add_argument(
        "--submission",
        required=True,
        metavar="FILE",
        help="the file that was uploaded, where `run` wrote it",
    )
    take.add_argument(
        "--metric",
        required=True,
        action="append",
        metavar="NAME=VALUE",
        help="what the server says, in percent; repeat",
    )
    take.add_argument("--url", required=True, metavar="URL", help="the page of the submission")
    take.add_argument(
        "--date", required=True, metavar="YYYY-MM-DD", help="when the server scored it"
    )


def _add_checkpoint(checkpoint: argparse.ArgumentParser) -> None:
    checkpoint.add_argument(
        "file", metavar="FILE", help="a weight file: .th, .pth, .pt, .bin or .safetensors"
    )
    checkpoint.add_argument(
        "--format", choices=("terminal", "json"), default="terminal", help="default: terminal"
    )


def _add_bench(bench: argparse.ArgumentParser) -> None:
    bench.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help="the stages of a task; default: all",
    )
    bench.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="NAME",
        help="rerank, text, image, vqa, grounding, ...; default: all",
    )
    bench.add_argument(
        "--size",
        choices=("base", "tiny"),
        default="base",
        help="X-VLM (base), or one for a quick look; default: base",
    )
    bench.add_argument(
        "--repeat",
        type=_positive,
        default=3,
        metavar="N",
        help="turns of both sides; the median counts; default: 3",
    )
    bench.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="cpu, cuda or cuda:N (with the projection); default: cpu",
    )
    bench.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="precision of the engine; the literal side stays in float32",
    )
    bench.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="threads that compute; default: torch's own number",
    )
    bench.add_argument(
        "--json", action="store_true", help="print everything that was measured, for machines"
    )


def _add_data(data: argparse.ArgumentParser) -> None:
    data.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help="a task, several (repeat, or a,b), or all; default: all",
    )
    data.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME",
        help="a split of each task; default: all of its splits",
    )
    data.add_argument(
        "--data", metavar="DIR", help="folder of the benchmark files; default: as for `run`"
    )
    data.add_argument(
        "--verify",
        action="store_true",
        help="decode every image and compare it with its annotations (minutes on real data)",
    )
    data.add_argument(
        "--build-flat",
        metavar="DIR",
        help="write X-VLM's own lists (its data/finetune) from the original files",
    )
    data.add_argument(
        "--layout",
        action="store_true",
        help="print the folder tree that the tasks read, and do nothing else",
    )
    data.add_argument(
        "--format", choices=("terminal", "md", "json"), default="terminal", help="default: terminal"
    )


def _add_fetch(fetch: argparse.ArgumentParser) -> None:
    fetch.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help="a task, several (repeat, or a,b), or all; default: all",
    )
    fetch.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME",
        help="a split of each task; default: all of its splits",
    )
    fetch.add_argument(
        "--data", metavar="DIR", help="folder to fetch into; default: the one that is configured"
    )
    fetch.add_argument(
        "--weights",
        action="store_true",
        help="the paper's checkpoints from Google Drive too (needs gdown)",
    )
    fetch.add_argument(
        "--yes", action="store_true", help="fetch; without it, only say what would be fetched"
    )


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument(
        "--data", metavar="DIR", help="folder of the benchmark files; default: as for `run`"
    )
    doctor.add_argument(
        "--checkpoint",
        metavar="NAME|PATH",
        help="an entry of checkpoints.yaml, or a weight file; default: as for `run`",
    )
    doctor.add_argument(
        "--online",
        action="store_true",
        help="ask Hugging Face's hub whether it answers; nothing else is asked",
    )
    doctor.add_argument(
        "--format", choices=("terminal", "md", "json"), default="terminal", help="default: terminal"
    )


def _add_list(lists: argparse.ArgumentParser) -> None:
    lists.add_argument(
        "--format", choices=("terminal", "md", "json"), default="terminal", help="default: terminal"
    )


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return number


def _batch_size(text: str) -> int | None:
    """Return a number, None for `auto`."""
    return None if text == "auto" else _positive(text)


class _Version(argparse.Action):
    """Print the version of the installed package, looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from harness.records.provenance import release

        sys.stdout.write(
            f"xvlm-eval {release() or '(not installed)'}\n"
        )  # argparse's own exit message goes to the error output
        parser.exit()
