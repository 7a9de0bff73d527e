"""Whole runs with and without reading ahead: the same files on disk, and the time of each.

    python -m tests.read_ahead [--device cuda] [--turns 2]

On the embedded benchmark, whose runs are short: what it gains at real size is not shown here.
"""

import argparse
import os
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from harness.cli.main import main as xvlm_eval
from harness.running.next_run import READ_AHEAD
from tests.support.results import contents

RUN = ("run", "--task", "refcoco+", "--limit", "48", "--batch-size", "16")


def main() -> None:
    """Run in turns: without, with, without, with, ..."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    outputs = []
    for setting in ("0", "1") * options.turns:
        os.environ[READ_AHEAD] = setting
        with tempfile.TemporaryDirectory() as out:
            begin = time.perf_counter()
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as errors:
                code = xvlm_eval([*RUN, "--device", options.device, "--out", out])
            seconds = time.perf_counter() - begin
            outputs.append(contents(Path(out)))
        same = "the same files" if outputs[-1] == outputs[0] else "OTHER FILES"
        print(f"{READ_AHEAD}={setting}: {seconds:.2f} s, code {code}, {same}", flush=True)
        if code != 0:
            print(errors.getvalue(), flush=True)


if __name__ == "__main__":
    main()
