"""`xvlm-eval bench`: time the engine beside the literal algorithm of the paper's code."""

import argparse

from harness.cli import flags
from harness.cli.console import say

HELP = "time the engine beside the literal algorithm of the paper's code"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_task(parser, help="the stages of a task; default: all")
    parser.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="NAME",
        help="rerank, text, image, vqa, grounding, ...; default: all",
    )
    parser.add_argument(
        "--size",
        choices=("base", "tiny"),
        default="base",
        help="X-VLM (base), or a small model for a quick look; default: base",
    )
    parser.add_argument(
        "--repeat",
        type=flags.positive,
        default=3,
        metavar="N",
        help="measurements of each side, of which the median counts; default: 3",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        metavar="NAME",
        help="cpu, cuda or cuda:N (with the projection); default: cpu",
    )
    flags.add_dtype(parser, help="precision of the engine; the literal side stays in float32")
    parser.add_argument(
        "--threads",
        type=flags.positive,
        metavar="N",
        help="threads that compute; default: torch's own number",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--from-files",
        metavar="DIR",
        help="instead of the stages, time the benchmarks from the JPEG files of a folder; an empty "
        "folder is filled with photos",
    )
    parser.add_argument(
        "--files",
        type=flags.positive,
        default=4096,
        metavar="N",
        help="with --from-files, read at most N files for each benchmark; default: 4096",
    )
    parser.add_argument(
        "--workers",
        type=flags.positive,
        metavar="N",
        help="with --from-files, threads that decode images; default: as many as in a run",
    )
    instead.add_argument(
        "--end-to-end",
        action="store_true",
        help="instead of the stages, run whole benchmarks of the embedded data, from image files "
        "to records, beside the authors' way of running them; --stage then names benchmarks",
    )
    parser.add_argument(
        "--limit",
        type=flags.positive,
        metavar="N",
        help="with --end-to-end, run N samples of each benchmark; default: all",
    )
    parser.add_argument("--json", action="store_true", help="print all measurements as JSON")


def run(options: argparse.Namespace) -> int:
    """Print how the engine compares with the literal algorithm."""
    from harness import rendering
    from harness.bench import measure
    from harness.bench.report import as_json, files_as_json, files_table, tables

    request = measure.Request(
        tasks=options.task,
        stages=options.stage,
        size=options.size,
        repeat=options.repeat,
        device=options.device,
        dtype=options.dtype,
        threads=options.threads,
    )
    if options.from_files is not None:
        measured = measure.measure_files(
            request,
            flags.path(options.from_files),
            limit=options.files,
            workers=options.workers,
            say=say,
        )
        if options.json:
            print(rendering.render_json(files_as_json(measured)))
        else:
            print(rendering.render([files_table(measured)], "terminal"))
        return 0
    if options.end_to_end:
        return _run_end_to_end(options)
    measurements = measure.measure(request, say=say)
    if options.json:
        print(rendering.render_json(as_json(measurements)))
    else:
        print(rendering.render(tables(measurements), "terminal"))
    return 0 if measurements.agree else 1


def _run_end_to_end(options: argparse.Namespace) -> int:
    """Print how runs compare with the authors' way of running benchmarks."""
    from harness import rendering
    from harness.bench.end_to_end import choose_benchmarks, measure_end_to_end
    from harness.bench.end_to_end_report import as_json, table

    names = choose_benchmarks(options.stage, options.task)
    measured = measure_end_to_end(names, limit=options.limit, say=say)
    if options.json:
        print(rendering.render_json(as_json(measured)))
    else:
        print(rendering.render([table(measured)], "terminal"))
    return 0 if all(each.agree for each in measured) else 1
