"""Fused kernels are used where they are asked for, can be had, and are right."""

import sys
import warnings

import pytest
import torch
import torch.nn.functional as F

import harness.engine
from harness.engine import kernels
from harness.engine.device import Device, choose_device
from harness.engine.fused import window_attention
from harness.engine.kernels import FUSED, kernels_are_usable
from harness.errors import UsageError
from tests.support.kernel_trials import fresh_trial, gpu

__all__ = ["fresh_trial", "gpu"]  # fixtures


@pytest.mark.parametrize(
    ("setting", "dtypes"),
    [
        (None, []),
        ("", []),
        ("auto", ["float32", "tf32"]),
        ("0", []),
        ("1", ["float32", "tf32", "float16", "bfloat16"]),
    ],
)
def test_kernels_are_off_unless_they_are_asked_for(gpu, monkeypatch, setting, dtypes):
    if setting is not None:
        monkeypatch.setenv(FUSED, setting)
    every = ["float32", "tf32", "float16", "bfloat16"]
    assert [each for each in every if choose_device("cuda", each).fused] == dtypes
    assert not choose_device("cpu", "float32").fused


def test_an_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv(FUSED, "yes")
    with pytest.raises(UsageError, match=f"{FUSED}=yes: expected 0, auto or 1"):
        choose_device("cpu", "float32")


def test_a_record_names_the_kernels_of_a_gpu_and_none_of_a_cpu(gpu, monkeypatch):
    monkeypatch.setenv(FUSED, "auto")
    assert choose_device("cuda", "tf32").name == "cuda (H100, fused kernels)"
    assert choose_device("cuda", "float16").name == "cuda (H100)"
    assert Device(torch.device("cpu"), "float32").name == "cpu"


def test_without_triton_torch_computes_and_one_line_says_so(monkeypatch, fresh_trial):
    monkeypatch.setitem(sys.modules, "triton", None)  # importing it fails
    for name in [name for name in sys.modules if name.startswith("harness.engine.triton_kernels")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(harness.engine, "triton_kernels", raising=False)
    with pytest.warns(UserWarning, match=r"^no fused kernels.*NotFoundError.*triton") as caught:
        assert not kernels_are_usable(torch.device("cpu"))
    (line,) = caught
    printed = warnings.formatwarning(line.message, line.category, line.filename, line.lineno)
    assert len(printed.splitlines()) == 1


def test_without_a_compiler_torch_computes_and_one_line_says_so(monkeypatch, fresh_trial):
    def missing():
        raise ImportError("no compiler\nand more lines")

    monkeypatch.setattr(kernels, "kernels", missing)
    with pytest.warns(UserWarning, match=r"^no fused kernels.*ImportError: no compiler$"):
        assert not kernels_are_usable(torch.device("cpu"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("rows", "normalised rows differ"),
        ("attention", "attended tokens differ"),
        ("window_attention", "attended in windows differ"),
    ],
)
def test_kernels_that_are_wrong_are_not_used(monkeypatch, fresh_trial, wrong, message):
    class Kernels:
        @staticmethod
        def rows(states, *, update, norm, normed):
            normed.copy_(norm(states if wrong == "rows" else states + update))

        @staticmethod
        def attention(query, key, value, mask, precision):
            scaled = query * 1.5 if wrong == "attention" else query
            return F.scaled_dot_product_attention(scaled, key, value)

        @staticmethod
        def window_attention(qkv, bias, heads, precision):
            bias = bias + torch.arange(len(qkv[0, 0])) if wrong == "window_attention" else bias
            return window_attention(qkv, bias, heads=heads)

    monkeypatch.setattr(kernels, "kernels", Kernels)
    with pytest.warns(UserWarning, match=f": [^,]*{message} by [^,]*$"):
        assert not kernels_are_usable(torch.device("cpu"))
