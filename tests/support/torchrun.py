"""The command in several processes, started by torchrun as users start it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

COMMAND = "harness.cli.main"


@contextmanager
def started(
    processes: int,
    arguments: Sequence[str],
    module: str = COMMAND,
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """Start the command in `processes` processes, and kill what is left of them at the end.

    torchrun chooses a free port.
    """
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", str(processes), "-m", module]
    run = subprocess.Popen(
        [*launcher, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield run
    finally:
        run.terminate()  # the launcher ends its processes
        try:
            run.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()


def finish(processes: int, arguments: Sequence[str]) -> str:
    """Run the command to its end and return what it printed."""
    with started(processes, arguments) as run:
        shown, _ = run.communicate(timeout=240)
    assert run.returncode == 0, shown
    return shown
