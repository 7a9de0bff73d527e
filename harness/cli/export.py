"""`xvlm-eval export`: write results in the formats of other tools."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import flags
from harness.cli.console import say
from harness.cli.output import writing

if TYPE_CHECKING:
    from harness.records.record import ResultRecord
    from harness.records.stored import StoredResult

HELP = "write results in the formats of other tools; nothing is sent"
FORMATS = ("eval-results", "model-index", "csv", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "results",
        nargs="?",
        metavar="FOLDER",
        default=flags.OUT,
        help=f"folder that `run --out` wrote; default: {flags.OUT}",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="eval-results: Hugging Face's .eval_results/*.yaml; model-index: the front matter of "
        "a model card; csv, parquet: every sample",
    )
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="file to write; for eval-results, the folder of the model's repository; default for "
        "model-index and csv: standard output",
    )
    flags.add_task(parser, help="export only the results of these tasks; repeat")
    flags.add_split(parser)
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="export only the results of this checkpoint"
    )
    flags.add_data(parser, help=f"{flags.FOLDER}, for the texts of samples; default: as for `run`")
    flags.add_own_data(parser, of_results=True)
    flags.add_image_folder(parser)
    flags.add_links(parser)
    parser.add_argument(
        "--dataset",
        metavar="ID",
        help="data set on the hub, for eval-results; default: the task's copy",
    )
    parser.add_argument(
        "--task-id", metavar="ID", help="task in the data set's eval.yaml; default: TASK.SPLIT"
    )
    parser.add_argument("--source-url", metavar="URL", help="page that shows the evaluation")
    parser.add_argument("--source-name", metavar="TEXT", help="name of that page")
    parser.add_argument("--source-user", metavar="NAME", help="user on the hub who evaluated")
    parser.add_argument(
        "--source-org", metavar="NAME", help="organisation on the hub that evaluated"
    )
    parser.add_argument("--date", metavar="DATE", help="date of the evaluation, as 2026-01-31")


def run(options: argparse.Namespace) -> int:
    """Write or print the results; report those that are left out."""
    from harness.cli.left_out import say_left_out
    from harness.errors import DataError, MissingError
    from harness.records.integrity import without_contradictions
    from harness.records.stored import find_results

    found = without_contradictions(find_results(flags.path(options.results)))
    code = say_left_out([found])
    if not found.results:
        raise MissingError(f"{options.results}: holds no result; `xvlm-eval run` makes some")
    results = [result for result in found.results if _is_chosen(result.record, options)]
    if not results:
        raise DataError(
            f"{options.results}: holds no result of this task, split and checkpoint; "
            "`xvlm-eval table --layout all` lists the results"
        )
    if options.format in ("csv", "parquet"):
        _export_samples(results, options)
    else:
        _publish([result.record for result in results], options)
    return code


def _publish(records: "Sequence[ResultRecord]", options: argparse.Namespace) -> None:
    """Write the metrics for a model's repository on the hub."""
    from harness.errors import UsageError
    from harness.export.eval_results import eval_results
    from harness.export.model_index import model_index
    from harness.export.publication import Source, publishable

    chosen, reasons = publishable(records)
    for reason in reasons:
        say(f"left out: {reason}")
    source = Source(
        url=options.source_url or "",
        name=options.source_name or "",
        user=options.source_user or "",
        org=options.source_org or "",
        date=_date(options.date),
    ).check()
    if options.format == "model-index":
        _write(model_index(chosen, source=source), options.out)
        return
    if options.out is None:
        raise UsageError("--format eval-results writes files: name their folder by --out DIR")
    results = eval_results(chosen, source=source, dataset=options.dataset, task_id=options.task_id)
    for reason in results.left_out:
        say(f"left out: {reason}")
    for name, content in results.files.items():
        _write(content, flags.path(options.out) / name)


def _export_samples(results: "Sequence[StoredResult]", options: argparse.Namespace) -> None:
    """Write every sample of the results."""
    from harness.cli.own import choose_result_source
    from harness.errors import UsageError
    from harness.export.samples import sample_rows, to_csv, write_parquet
    from harness.running.stored.samples import StoredSamples

    if options.format == "parquet" and options.out is None:
        raise UsageError("--format parquet writes a file: name it by --out FILE")
    source = choose_result_source(options)
    samples = [StoredSamples(result, source) for result in results]
    for part in samples:
        for problem in part.problems:
            say(f"{part.result.title}: {problem}")
    rows = sample_rows(samples)
    if options.format == "csv":
        _write(to_csv(rows), options.out)
        return
    path = flags.path(options.out)
    with writing(path) as temporary:
        write_parquet(rows, temporary)
    say(f"written: {path}")


def _write(content: str, path: str | Path | None) -> None:
    """Print a text, or write it into a file."""
    if path is None:
        print(content, end="")
        return
    with writing(flags.path(path)) as temporary:
        temporary.write_text(content, encoding="utf-8")
    say(f"written: {path}")


def _is_chosen(record: "ResultRecord", options: argparse.Namespace) -> bool:
    """Return whether the flags choose a record; case, `_` and `-` do not matter."""
    from harness.checkpoints import normalise_name
    from harness.formats.own.folder import KINDS, PREFIX

    tasks = _names(options.task)
    if options.annotations is not None:  # as `run` names tasks on own data
        tasks += [PREFIX + name.lower() for name in tasks if name.lower() in KINDS]
    wanted = (
        (record.task, tasks),
        (record.split, _names(options.split)),
        (str(record.checkpoint["name"]), [options.checkpoint] if options.checkpoint else []),
    )
    return all(
        not names or normalise_name(name) in map(normalise_name, names) for name, names in wanted
    )


def _names(words: Sequence[str]) -> list[str]:
    """Return the names in the words of a flag; none for `all`."""
    names = [name for word in words for name in word.split(",") if name]
    return [] if "all" in names else names


def _date(text: str | None) -> str:
    """Return a date as it was given. Raises UsageError for anything else."""
    from harness.errors import UsageError

    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise UsageError(f"--date {text}: should be like 2026-01-31") from error
