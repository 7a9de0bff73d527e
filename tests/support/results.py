"""Runs of the embedded model that all test processes share: never change them, copy them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.main import main
from tests.support.altered import copied
from tests.support.sharing import shared

LIMITED = ["--limit", "12", "--batch-size", "5"]  # arguments of the limited run


def contents(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """The bytes of every file below a folder whose name begins with `prefix`.

    Timings differ from run to run, and hidden files are what a kill left half-written.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name.startswith(prefix)
        and not path.name.startswith(".")
        and "timings" not in path.name
    }


def _run(*arguments: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        assert main([*arguments, "--out", str(folder)]) == 0

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A whole run of all tasks and splits."""
    return shared(tmp_path_factory, "finished", _run("run", "--task", "all", "--batch-size", "32"))


@pytest.fixture(scope="session")
def limited(tmp_path_factory):
    """Twelve samples of every split of every task, predicted by one process."""
    return shared(tmp_path_factory, "limited", _run("run", "--task", "all", *LIMITED))


@pytest.fixture(scope="session")
def baseline(finished, tmp_path_factory):
    """Results of RefCOCO+ testB, NLVR2 dev and test, and VQA test-dev."""
    names = ("refcoco+.testB", "nlvr2.dev", "nlvr2.test", "vqav2.test-dev")
    return copied(finished, tmp_path_factory.mktemp("baseline"), *names)
