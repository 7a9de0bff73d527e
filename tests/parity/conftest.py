"""Run each parity test on every golden case of its kind.

A test asks for the fixture `case` and names its kind with `KIND` in its module. A kind that the golden folder does not have is no error.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import golden_cases, golden_folder

TESTED = ("a_swin", "c_bbox", "h_text", "i_adapt", "k_preprocess", "l_base", "refcoco_eval")


@dataclass(frozen=True)
class Case:
    """One golden folder: its configuration, arrays and files."""

    path: Path

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.json("config.json")

    @cached_property
    def inputs(self) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array) for name, array in np.load(self.path / "inputs.npz").items()}

    @cached_property
    def outputs(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.path / "outputs.npz"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        cases = golden_cases(metafunc.module.KIND)
        metafunc.parametrize("case", [pytest.param(Case(path), id=path.name) for path in cases])


def pytest_report_header() -> str:
    folder = golden_folder()
    untested = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(TESTED))
    return f"golden: {folder}" + (
        f"\ngolden cases of kinds that have no test yet: {', '.join(untested)}" if untested else ""
    )


@pytest.fixture
def close():
    """Compare with a golden array as the goldens ask for: float32 within 1e-4, same shape."""

    def check(actual: Any, expected: np.ndarray, *, tolerance: float = 1e-4) -> None:
        actual = actual.detach().numpy() if isinstance(actual, torch.Tensor) else np.asarray(actual)
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)

    return check
