"""Golden cases: what the official code computed, with its configuration and inputs."""

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]
KIND_OF_MODULE = re.compile(r'^(?:KIND = |@on\()"(.*?)"', re.M)


@dataclass(frozen=True)
class Case:
    """One golden folder."""

    path: Path

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def path_of(self, name: str) -> Path:
        """Return the path of a file or folder that a case may lack; skip the test if it does."""
        path = self.path / name
        if not path.exists():
            pytest.skip(f"the golden {self.path.name} has no {name}")
        return path

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.json("config.json")

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        return _arrays(self.path / "inputs.npz")

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """The inputs as tensors on the device under test."""
        import torch

        return {
            name: torch.from_numpy(array).to(device_under_test().torch)
            for name, array in self.arrays.items()
        }

    @cached_property
    def outputs(self) -> dict[str, np.ndarray]:
        return _arrays(self.path / "outputs.npz")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file: floats as float32, whole numbers as int64, bytes as stored."""
    with np.load(path) as file:
        return {name: _widened(array) for name, array in file.items()}


def _widened(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind in "bi":
        return array.astype(np.int64, copy=False)
    return array


def device_under_test() -> Any:
    """The device to compare with the goldens: `XVLM_EVAL_TEST_DEVICE`, or the CPU."""
    from harness.engine.device import choose_device

    return choose_device(os.environ.get("XVLM_EVAL_TEST_DEVICE", "cpu"), "float32")


def golden_folder() -> Path:
    """`XVLM_EVAL_GOLDEN`, else the folder beside the tests, else the one beside the checkout."""
    chosen = os.environ.get("XVLM_EVAL_GOLDEN")
    beside = [TESTS / "golden", TESTS.parent.parent / "shared" / "golden"]
    candidates = [Path(chosen)] if chosen else beside
    for folder in candidates:
        if folder.is_dir():
            return folder.resolve()  # tests link to it, and may work in another folder
    raise pytest.UsageError(f"no golden folder at {' or '.join(map(str, candidates))}")


def golden_kinds() -> tuple[str, ...]:
    """The kinds of golden cases that any test module compares."""
    modules = TESTS.glob("*/test_*.py")
    found = (re.findall(KIND_OF_MODULE, module.read_text(encoding="utf-8")) for module in modules)
    return tuple(sorted({kind for kinds in found for kind in kinds}))


def untested_cases() -> list[str]:
    """The names of golden cases that no test module compares.

    Raises pytest.UsageError if all are, as in a folder that holds no goldens.
    """
    cases, kinds = golden_cases(""), golden_kinds()
    untested = [case.path.name for case in cases if not case.path.name.startswith(kinds)]
    if len(untested) == len(cases):
        raise pytest.UsageError(
            f"no golden in {golden_folder()}: its folders' names begin with none of the kinds "
            f"{', '.join(kinds)}"
        )
    return [name for name in untested if not name.startswith((".", "_"))]


def golden_cases(kind: str) -> list[Case]:
    """The golden cases of a kind: the folders whose names begin with it. There may be none."""
    return [
        Case(path)
        for path in sorted(golden_folder().iterdir())
        if path.is_dir() and path.name.startswith(kind)
    ]


def golden_params(kind: str) -> list[Any]:
    """The golden cases of a kind as parameters of a test; one that is skipped if there are none."""
    cases = golden_cases(kind)
    if not cases:
        reason = f"no golden of the kind {kind} in {golden_folder()}"
        return [pytest.param(None, id="none", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(case, id=case.path.name) for case in cases]
