"""`xvlm-eval score`: score stored predictions, without a model."""

import argparse

from harness.cli import flags
from harness.cli.console import say

HELP = "score stored predictions, of `run` or in a benchmark's own format"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_one_split(parser, required=False)
    flags.add_own_data(parser)
    flags.add_image_folder(parser)
    flags.add_links(parser)
    parser.add_argument(
        "--predictions",
        required=True,
        metavar="FILE",
        help="a prediction file of `run`, or official results",
    )
    flags.add_data(parser, help=f"{flags.FOLDER}; images are not needed; default: as for `run`")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="keep record, sample scores and predictions there, as `run` does, for `check`",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="with --out, name of the model that predicted; default: as `run` recorded it",
    )
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the scores of stored predictions."""
    from harness import rendering
    from harness.cli.own import choose_data
    from harness.errors import UsageError
    from harness.running.stored.scoring import score_file, to_json
    from harness.tables import layouts

    chosen = choose_data(options)
    if not chosen.splits:
        raise UsageError("--split is needed: name the split that the predictions are for")
    (task,), (split,) = chosen.tasks, chosen.splits
    scored = score_file(task, split, flags.path(options.predictions), source=chosen.data)
    if scored.deviations:
        say(
            f"{scored.task} {scored.split}: not the official split: "
            f"{'; '.join(scored.deviations)}; such a result fills no row of the table"
        )
    for caveat in scored.scores.caveats:
        say(f"{scored.task} {scored.split}: {caveat}")
    if options.out:
        from harness.running.stored.keeping import keep_scores

        path = keep_scores(scored, flags.path(options.out), checkpoint=options.checkpoint)
        say(f"written: {path}")
    elif options.checkpoint:
        raise UsageError("--checkpoint names a result that --out keeps; add --out DIR")
    if options.format == "json":
        print(to_json(scored))
        return 0
    intervals = scored.scores.intervals
    rows: list[rendering.Row] = [
        {"metric": name, "measured": value, "interval": intervals.get(name), "n": scored.n}
        for name, value in scored.scores.metrics.items()
    ]
    title = f"{options.predictions}: {scored.task} {scored.split} on {scored.data}"
    print(rendering.render([rendering.Table(title, rows, layouts.SCORE_COLUMNS)], options.format))
    for name, reason in scored.scores.not_run.items():
        say(f"{name}: not run, {reason}")
    return 0
