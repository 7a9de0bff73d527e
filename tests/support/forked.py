"""The command in processes forked from one that has imported what takes long, as a run does.

They are killed, starved and joined as those of a user, but none of them imports torch for seconds.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from unittest import mock

import torch.distributed as dist

processes = multiprocessing.get_context("forkserver")
# A server of the tests' own: that of the process has other modules, and decodes images.
server = forkserver.ForkServer()
server.set_forkserver_preload(
    ["harness.models.xvlm.load", "harness.cli.run", "tests.support.preloaded"]
)

Trouble = Callable[[], Callable[[], None] | None]  # its result is called after the run


def no_trouble() -> None:
    pass


@contextmanager
def forking() -> Iterator[None]:
    """Have processes of the context `processes` forked by the server of the tests."""
    with mock.patch.object(forkserver, "connect_to_new_process", server.connect_to_new_process):
        yield


class Running:
    """A run in a process; `trouble` is called in it before the run begins."""

    def __init__(self, arguments: Sequence[str], trouble: Trouble = no_trouble) -> None:
        self._start(_run, arguments, trouble)

    def _start(self, program: Callable[..., None], *arguments: object) -> None:
        self._shown, output = processes.Pipe(duplex=False)
        # The server has the environment of the test that was the first to need it.
        environment = dict(os.environ)
        self.process = processes.Process(target=program, args=(*arguments, environment, output))
        with forking():
            self.process.start()
        output.close()

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit code (of a killed process, negative) and the output."""
        with os.fdopen(os.dup(self._shown.fileno())) as file:
            shown = file.read()
        self._shown.close()
        self.process.join()
        return self.process.exitcode, shown


class RunningRanks(Running):
    """A run of several processes under a launcher that does what torchrun does.

    It sets the same variables, and where a process fails, it sends SIGTERM to the others.
    `trouble` is called in every process, which knows its `RANK`.
    """

    def __init__(self, size: int, arguments: Sequence[str], trouble: Trouble = no_trouble) -> None:
        # Processes find one another here; in torchrun, the launcher keeps it.
        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._start(_launch, size, self._store.port, arguments, trouble)


class RunningTorchrun(Running):
    """torchrun itself, which imports nothing anew; the processes that it starts do.

    With a `rank`, torchrun forks them, and each calls it with the arguments of the script.
    """

    def __init__(
        self, arguments: Sequence[str], rank: Callable[[Sequence[str]], None] | None = None
    ) -> None:
        self._start(_torchrun, arguments, rank)


class RunningPytest(Running):
    """pytest itself, in a process that has imported what tests of models import."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._start(_pytest, arguments)


def _pytest(arguments, environment, output):
    _replace_environment(environment)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)
    import pytest

    code = pytest.main(arguments)
    sys.stdout.flush()
    os._exit(code)


def _run(arguments, trouble, environment, output):
    """What a process does."""
    _replace_environment(environment)
    sys.stdout = sys.stderr = os.fdopen(os.dup(output.fileno()), "w")
    os._exit(_evaluate(arguments, trouble))


def _torchrun(arguments, rank, environment, output):
    _replace_environment(environment)
    for stream in (1, 2):  # its processes inherit them
        os.dup2(output.fileno(), stream)
    sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)
    from torch.distributed import run

    if rank is None:
        run.main(arguments)
        return
    options = run.parse_args(arguments)
    config, _, _ = run.config_from_args(options)
    config.start_method = "fork"
    run.elastic_launch(config, rank)(options.training_script_args)


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _evaluate(arguments, trouble):
    import torch

    from harness.cli.main import main

    torch.set_num_threads(1)  # the cores are shared by many runs
    after = trouble()
    code = main(arguments)
    if after is not None:
        after()
    sys.stdout.flush()
    return code


def _launch(size, port, arguments, trouble, environment, output):
    """What the launcher does: it ends with the first code that is not 0."""
    _replace_environment(environment)
    sys.stdout = sys.stderr = os.fdopen(os.dup(output.fileno()), "w")
    os.environ |= {
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)},
        **{"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"},
    }
    running = set()
    for rank in range(size):
        if pid := os.fork():
            running.add(pid)
            continue
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        os._exit(_evaluate(arguments, trouble))
    first = 0
    while running:
        pid, status = os.wait()
        running.remove(pid)
        if status and not first:
            first = os.waitstatus_to_exitcode(status)
            for other in running:
                os.kill(other, signal.SIGTERM)
    os._exit(first % 256)
