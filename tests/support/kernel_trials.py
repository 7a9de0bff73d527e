"""Where fused kernels can be compared, and a machine that has a GPU as far as a choice goes."""

import os
from importlib.util import find_spec

import pytest
import torch

from harness.engine import kernels
from harness.engine.device import RERANKED_IMAGES
from harness.engine.kernels import FUSED, kernels_are_usable
from harness.engine.packed_attention import PACKED_ATTENTION
from harness.engine.step_graphs import STEP_GRAPHS

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
needs_kernels = pytest.mark.skipif(
    find_spec("triton") is None or not (CUDA or os.environ.get("TRITON_INTERPRET") == "1"),
    reason="needs Triton, and a CUDA device or TRITON_INTERPRET=1",
)


@pytest.fixture
def fresh_trial():
    """Kernels are tried anew, and again after the test."""
    kernels_are_usable.cache_clear()
    yield
    kernels_are_usable.cache_clear()


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as far as the choice of a device is concerned."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    monkeypatch.setattr(kernels, "kernels_are_usable", lambda device: True)
    for name in (FUSED, PACKED_ATTENTION, STEP_GRAPHS, RERANKED_IMAGES):
        monkeypatch.delenv(name, raising=False)
