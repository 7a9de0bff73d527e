"""Runs of the embedded model that all test processes share: never change them, copy them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints import SHAPES, entries
from harness.cli.main import main
from harness.records.record import SIDECARS
from tests.support.altered import copied
from tests.support.sharing import shared

EMBEDDED = tuple(entries()[SHAPES].files)  # the tasks that the embedded model was trained for
COMMITTED = Path(__file__).parents[2] / "results"
LIMITED = ["--limit", "12", "--batch-size", "5"]  # arguments of the limited run
# Splits that take most of the time of a whole run. `make check` predicts all of their samples.
LONGEST = ("coco-retrieval.test", "flickr30k-retrieval.test", "vqav2.val")


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


def records(out: Path, task: str = "refcoco+") -> dict[str, Any]:
    """The records of a task's results in an output folder, by `task.split`; `*`: of all tasks."""
    paths = [path for path in out.glob(f"*/{task}.*.json") if not path.name.endswith(SIDECARS)]
    return {path.stem: json.loads(path.read_text()) for path in paths}


@pytest.fixture(scope="session")
def finished(limited, tmp_path_factory):
    """A whole run of all tasks and splits.

    Of the longest splits, it predicts every tenth sample anew and takes the others from the
    committed run.
    """

    def make(folder: Path) -> None:
        for stem in LONGEST:
            _begin(folder / "xvlm-shapes" / f"{stem}.predictions.jsonl", limited)
        assert main(["run", "--task", "all", "--batch-size", "32", "--out", str(folder)]) == 0

    return shared(tmp_path_factory, "finished", make)


def _begin(path: Path, limited: Path) -> None:
    """Write nine tenths of a split's committed predictions, as if the present code had made them.

    All else that identifies the run is what the present code wrote for a part of the split.
    """
    part = limited / "xvlm-shapes" / path.name.replace(".predictions", ".limit-12.predictions")
    identity = json.loads(part.read_text().partition("\n")[0])["identity"]
    committed = gzip.decompress((COMMITTED / "xvlm-shapes" / f"{path.name}.gz").read_bytes())
    head, *lines = committed.decode().splitlines()
    head = json.loads(head)
    head["identity"] = {**identity, "n": head["identity"]["n"], "subset": None}
    kept = [line for number, line in enumerate(lines) if number % 10]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([json.dumps(head), *kept]) + "\n")


@pytest.fixture(scope="session")
def limited(tmp_path_factory):
    """Twelve samples of every split of every task, predicted by one process.

    Of the captions, which Java scores for seconds, one split.
    """
    tasks = ",".join(name for name in EMBEDDED if name != "coco-caption")

    def make(folder: Path) -> None:
        for run in (["--task", tasks], ["--task", "coco-caption", "--split", "val"]):
            assert main(["run", *run, *LIMITED, "--out", str(folder)]) == 0

    return shared(tmp_path_factory, "limited", make)


@pytest.fixture(scope="session")
def baseline(finished, tmp_path_factory):
    """Results of RefCOCO+ testB, NLVR2 dev and test, and VQA test-dev."""
    names = ("refcoco+.testB", "nlvr2.dev", "nlvr2.test", "vqav2.test-dev")
    return copied(finished, tmp_path_factory.mktemp("baseline"), *names)


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The report of the committed results, in a folder with nothing else in it."""

    def make(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        assert main(["report", str(COMMITTED), "--out", str(folder / "report.html")]) == 0

    return shared(tmp_path_factory, "report", make) / "report.html"
