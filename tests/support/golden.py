"""Golden cases: what the official code computed, with its configuration and inputs."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Case:
    """One golden folder."""

    path: Path

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text(encoding="utf-8"))

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
    with np.load(path) as file:
        return dict(file)


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
            return folder
    raise pytest.UsageError(f"no golden folder at {' or '.join(map(str, candidates))}")


def golden_cases(kind: str) -> list[Case]:
    """The golden cases of a kind: the folders whose names begin with it. There may be none."""
    return [
        Case(path)
        for path in sorted(golden_folder().iterdir())
        if path.is_dir() and path.name.startswith(kind)
    ]
