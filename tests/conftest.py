"""What all tests share: golden cases, and places of their own for everything that the harness keeps between runs."""

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = (
    "1"  # before transformers is imported: no test may reach for the network
)
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as the command sets it
if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # the test processes share the cores instead of fighting for them
    cores, processes = os.cpu_count() or 1, int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))

TESTS = Path(__file__).parent
LONGEST = [
    "test_end_to_end.py",
    "test_processes.py",
    "test_kills.py",
    "test_fuzz.py",
    "test_skipping.py",
    "test_score.py",
    "test_check.py",
]


@dataclass(frozen=True)
class Case:
    """One golden folder: outputs of the official code, with its configuration and inputs."""

    path: Path

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.json("config.json")

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.path / "inputs.npz"))

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The inputs as tensors on the device that is tested."""
        import torch

        return {
            name: torch.from_numpy(array).to(device_under_test().torch)
            for name, array in self.arrays.items()
        }

    @cached_property
    def outputs(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.path / "outputs.npz"))


def device_under_test() -> Any:
    """Return the device whose predictions are compared with the goldens: `XVLM_EVAL_TEST_DEVICE`, the processor by default."""
    from harness.engine.device import choose_device

    return choose_device(os.environ.get("XVLM_EVAL_TEST_DEVICE", "cpu"), "float32")


def golden_folder() -> Path:
    """Return the golden folder: `XVLM_EVAL_GOLDEN`, else the copy beside the tests, else the one beside the checkout."""
    chosen = os.environ.get("XVLM_EVAL_GOLDEN")
    places = (
        [Path(chosen)] if chosen else [TESTS / "golden", TESTS.parent.parent / "shared" / "golden"]
    )
    for place in places:
        if place.is_dir():
            return place
    raise pytest.UsageError(f"no golden folder at {' or '.join(map(str, places))}")


def golden_cases(kind: str) -> list[Case]:
    """Return the golden cases of a kind: the folders whose names begin with it. A kind that is not there is no error."""
    return [
        Case(path)
        for path in sorted(golden_folder().iterdir())
        if path.is_dir() and path.name.startswith(kind)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `case` on every golden case of its module's KIND."""
    if "case" in metafunc.fixturenames:
        cases = golden_cases(metafunc.module.KIND)
        metafunc.parametrize("case", [pytest.param(case, id=case.path.name) for case in cases])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no test process is left with one of them at the end."""
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
        )
    )


def pytest_report_header() -> str:
    """Say which golden folder is used, and which of its cases no test module asks for."""
    kinds = tuple(
        kind
        for module in TESTS.glob("*/test_*.py")
        for kind in re.findall(r'^KIND = "(.*)"', module.read_text(), re.M)
    )
    untested = [case.path.name for case in golden_cases("") if not case.path.name.startswith(kinds)]
    return f"golden: {golden_folder()}" + (
        f"; no test yet for the kinds of {', '.join(untested)}" if untested else ""
    )


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory):
    """Keep the tests out of the user's cache and configuration, and the user's settings out of the tests."""
    home = tmp_path_factory.mktemp("home")
    if (
        "PYTEST_XDIST_WORKER" in os.environ
    ):  # the embedded benchmark is drawn once for all test processes
        drawn = tmp_path_factory.getbasetemp().parent / "shapes"
        drawn.mkdir(exist_ok=True)
        (home / "cache").mkdir()
        (home / "cache" / "shapes").symlink_to(drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XVLM_EVAL_CACHE", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.delenv("XVLM_EVAL_DATA", raising=False)
        patch.delenv("XVLM_EVAL_CHECKPOINTS", raising=False)
        yield
