"""`xvlm-eval show`: look at the samples of a result."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli import flags
from harness.cli.console import say
from harness.cli.output import writing

if TYPE_CHECKING:
    from harness.errors import HarnessError
    from harness.records.stored import StoredResult
    from harness.report.sample_rows import Shown
    from harness.running.stored.samples import StoredSample

HELP = "look at single samples: picture, text, truth, prediction, score"
PICTURES = ("auto", "kitty", "sixel", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "result",
        nargs="?",
        default=flags.OUT,
        metavar="RECORD|FOLDER",
        help=f"a record (<task>.<split>.json), or a folder that `run --out` wrote; "
        f"default: {flags.OUT}",
    )
    parser.add_argument("--wrong", action="store_true", help="only samples that score below 50 %%")
    parser.add_argument(
        "--sort",
        choices=("gain", "loss", "score"),
        help="the lowest score first, or what gained or lost most since --baseline",
    )
    parser.add_argument(
        "--sample", action="append", default=[], metavar="ID", help="only this sample; repeat"
    )
    parser.add_argument(
        "--limit",
        type=flags.positive,
        default=10,
        metavar="N",
        help="samples to show of each result; default: 10",
    )
    parser.add_argument("--baseline", metavar="DIR", help="results to compare with, as in `diff`")
    parser.add_argument(
        "--open", action="store_true", help="write the pictures to a temporary folder and open it"
    )
    parser.add_argument("--save", metavar="DIR", help="write the pictures there, as PNG")
    parser.add_argument(
        "--pictures",
        choices=PICTURES,
        default=PICTURES[0],
        help="how the terminal shows pictures; default: auto, as the terminal reports",
    )
    flags.add_data(parser, help=f"{flags.FOLDER} of the run; default: as for `run`")
    flags.add_own_data(parser, of_results=True)
    flags.add_image_folder(parser)
    flags.add_links(parser)
    flags.add_format(parser, "json", "csv")


def run(options: argparse.Namespace) -> int:
    """Print samples, with their pictures where the terminal can show them."""
    from harness.cli.left_out import say_left_out
    from harness.errors import DataError, UsageError
    from harness.records.integrity import contradicting_records, without_contradictions
    from harness.records.stored import StoredResults
    from harness.report import sample_rows
    from harness.report.selection import results_at

    found = results_at(flags.path(options.result))
    baseline = (
        without_contradictions(results_at(flags.path(options.baseline)))
        if options.baseline
        else StoredResults((), ())
    )
    code = say_left_out([found, baseline])
    for reason in contradicting_records(found):  # shown all the same, to be looked into
        say(f"in doubt: {reason}")
        code = DataError.exit_code
    if not found.results:
        raise DataError(f"{options.result}: holds no result; `xvlm-eval run` makes some")
    shown, refusals = _choose_samples(found.results, baseline.results, options)
    for refusal in refusals:
        say(str(refusal))
    # Of several results, one that a flag does not suit is no failure.
    code = max([code, *(e.exit_code for e in refusals if not isinstance(e, UsageError))])
    if options.format == "json":
        print(sample_rows.to_json(shown))
    elif options.format == "csv":
        print(sample_rows.to_csv(shown))
    else:
        _print_terminal(shown, options)
    _write_pictures(shown, options)
    return code


def _choose_samples(
    results: "Sequence[StoredResult]",
    baseline: "Sequence[StoredResult]",
    options: argparse.Namespace,
) -> "tuple[list[Shown], list[HarnessError]]":
    """Return the samples of each result that the flags choose, and why others have none.

    These are results that a flag does not suit, or that cannot be compared with their baseline.
    Raises one of these errors where no other result has a chosen sample.
    """
    from harness.cli.own import choose_result_source
    from harness.errors import HarnessError, UsageError
    from harness.report.baseline import changes_since, matching
    from harness.report.sample_rows import Shown
    from harness.report.selection import Choice, choose
    from harness.running.stored.samples import StoredSamples

    source = choose_result_source(options)
    choice = Choice(options.wrong, options.sort, options.sample, options.limit)
    shown: list[Shown] = []
    refusals: list[HarnessError] = []
    for result in results:
        samples = StoredSamples(result, source)
        before = changes = None
        if options.baseline:
            before = matching(result, baseline)
            if before is None:
                say(f"left out: {result.title}: {options.baseline} has no such result")
                continue
        try:
            if before is not None:
                changes = changes_since(before, result, source)
            indices = choose(samples, choice, changes)
        except HarnessError as error:
            refusals.append(error)
            continue
        for problem in samples.problems:
            say(f"{result.title}: {problem}")
        shown.append(Shown(samples, indices, changes))
    if refusals and not any(part.indices for part in shown):
        raise min(refusals, key=lambda error: isinstance(error, UsageError))
    if options.sample:  # one result has the id, the others refused it
        shown = [part for part in shown if part.indices]
        refusals = [error for error in refusals if not isinstance(error, UsageError)]
    return shown, refusals


def _print_terminal(shown: "Sequence[Shown]", options: argparse.Namespace) -> None:
    from harness.report import sample_rows, terminal

    protocol = options.pictures if options.pictures != "auto" else terminal.detect()
    for part in shown:
        samples = part.samples
        if protocol == terminal.NONE:
            print(sample_rows.to_table(part))
            print()
            continue
        for index in part.indices:
            sample = samples[index]
            print(sample_rows.to_lines(part, index))
            image = _drawn(sample, title=samples.result.title)
            if image is not None:
                print(terminal.to_text(image, protocol))
            print()


def _write_pictures(shown: "Sequence[Shown]", options: argparse.Namespace) -> None:
    """Write the pictures of all samples for --save and --open, and open them."""
    if not (options.save or options.open):
        return
    import tempfile

    from harness.report.pictures import file_name

    folder = flags.path(options.save or tempfile.mkdtemp(prefix="xvlm-eval-"))
    written: list[Path] = []
    for part in shown:
        record = part.samples.result.record
        title = (str(record.checkpoint["name"]), record.task, record.split)
        for index in part.indices:
            sample = part.samples[index]
            image = _drawn(sample, title=part.samples.result.title)
            if image is None:
                continue
            path = folder / file_name(title, sample.id)
            with writing(path, flag="--save") as temporary:
                image.save(temporary, "PNG")
            written.append(path)
    say(f"written: {len(written)} pictures in {folder}")
    if options.open and written:
        # One picture, or the folder of several, in whatever the desktop opens it with.
        target = written[0] if len(written) == 1 else folder
        if not _open(target):
            say(f"nothing here opens pictures; look at {target}")


def _open(path: Path) -> bool:
    """Open a file or folder on the desktop; return whether there is one."""
    import os
    import shutil
    import subprocess
    import sys

    name = "open" if sys.platform == "darwin" else "xdg-open"
    desktop = name == "open" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    program = shutil.which(name)
    if not (desktop and program):
        return False
    nowhere = subprocess.DEVNULL
    subprocess.Popen([program, str(path)], stdin=nowhere, stdout=nowhere, stderr=nowhere)
    return True


def _drawn(sample: "StoredSample", *, title: str) -> Any:
    """Return the drawn pictures of a sample, None with a message where they cannot be read."""
    from harness.errors import HarnessError
    from harness.report.pictures import draw_sample

    if not sample.view.pictures:
        return None
    try:
        return draw_sample(sample.view)
    except HarnessError as error:
        say(f"{title} {sample.id}: {error}")
        return None
