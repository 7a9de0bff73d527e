"""A run of the small benchmark and checkpoint that `world` writes."""

from harness.cli.main import main

RUN = ["run", "--task", "refcoco+", "--out", "out"]


def run(world, *more):
    return main(
        [*RUN, "--split", "val", "--data", "data", "--checkpoint", "weights/tiny.th", *more]
    )
