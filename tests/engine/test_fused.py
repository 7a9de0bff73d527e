"""Fused kernels compute what torch's operations compute, and are used only where they are faster.

The kernels are compared on a CUDA device, or with `TRITON_INTERPRET=1` on a CPU where Triton is
installed.
"""

import os
import sys
import warnings
from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import harness.engine
from harness.engine import fused, kernels, matmul
from harness.engine.device import RERANKED_IMAGES, Device, choose_device
from harness.engine.fused import (
    add_norm,
    gather_norm,
    norm_of_sum,
    scatter_sum,
    window_attention,
)
from harness.engine.kernels import FUSED, fused_kernels, kernels_are_usable
from harness.engine.matmul import scaled_dot_product_attention
from harness.engine.packed_attention import PACKED_ATTENTION
from harness.engine.step_graphs import STEP_GRAPHS
from harness.errors import UsageError

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
needs_kernels = pytest.mark.skipif(
    find_spec("triton") is None or not (CUDA or os.environ.get("TRITON_INTERPRET") == "1"),
    reason="needs Triton, and a CUDA device or TRITON_INTERPRET=1",
)


@pytest.fixture
def random():
    rng = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=rng).to(DEVICE)


@pytest.fixture
def norm(random):
    layer = nn.LayerNorm(48, device=DEVICE)
    layer.weight.data, layer.bias.data = random(48), random(48)
    return layer.requires_grad_(False)


def both(call):
    """The results of a call by torch's operations and by the kernels."""
    with torch.inference_mode():
        plain = call()
        with fused_kernels(True):
            return plain, call()


def assert_close(pair, within=1e-5):
    plain, kernel = pair
    assert plain.shape == kernel.shape and plain.dtype == kernel.dtype
    assert torch.allclose(kernel, plain, rtol=0, atol=within)


@needs_kernels
@pytest.mark.parametrize("biases", [1, 3], ids=["one bias", "a bias for each window"])
@pytest.mark.parametrize("tokens", [9, 64, 100])
def test_window_attention(random, tokens, biases):
    qkv, bias = random(2, 3, tokens, 3 * 2 * 16), random(biases, 2, tokens, tokens)
    bias[..., 0, -1] = -100
    expected = window_attention(qkv, bias, heads=2)
    assert_close((expected, kernels.kernels().window_attention(qkv, bias, 2, "ieee")))


@needs_kernels
@pytest.mark.parametrize("shape", [(3, 5, 5), (2, 20, 40), (1, 70, 33)], ids=str)
def test_attention_to_strided_keys_with_any_mask(random, shape):
    images, queries, tokens = shape
    query = random(images, queries, 2, 16).transpose(1, 2)
    key, value = (random(images, 2, tokens + 3, 16)[:, :, :tokens] for _ in range(2))
    of_tokens, of_pairs = random(images, 1, 1, tokens), random(queries, tokens)
    of_tokens[..., 1:3], of_pairs[:, : tokens // 2] = -torch.inf, -torch.inf
    for mask in (None, of_tokens, of_pairs):
        expected = scaled_dot_product_attention(query, key, value, mask)
        result = kernels.kernels().attention(query, key, value, mask, "ieee")
        assert_close((expected, result))
        assert result.transpose(1, 2).is_contiguous()


def test_float32_attends_by_plain_operations_in_full_precision(monkeypatch):
    class Kernels:
        attention = staticmethod(lambda query, key, value, mask, precision: precision)
        window_attention = staticmethod(lambda qkv, bias, heads, precision: precision)

    monkeypatch.setattr(matmul, "kernels", Kernels)
    monkeypatch.setattr(fused, "kernels", Kernels)

    def attended(width):
        query, bias = torch.randn(1, 2, 3, width), torch.zeros(1, 2, 3, 3)
        windows = window_attention(torch.randn(1, 1, 3, 3 * 2 * width), bias, heads=2)
        return scaled_dot_product_attention(query, query, query), windows

    def by_torch(width):
        return all(isinstance(result, torch.Tensor) for result in attended(width))

    with fused_kernels(True), torch.inference_mode():
        assert by_torch(16)
        monkeypatch.setattr(matmul, "fp32_precision", lambda: "tf32")
        monkeypatch.setattr(fused, "fp32_precision", lambda: "tf32")
        assert attended(16) == ("tf32", "tf32")
        assert by_torch(12)  # no kernel takes heads of this width
    assert by_torch(16)


@needs_kernels
def test_gather_norm(random, norm):
    tokens, index = random(2, 10, 48), torch.tensor([7, 0, 3, 9], device=DEVICE)
    for plain, kernel in zip(*both(lambda: gather_norm(tokens, index, norm)), strict=True):
        assert_close((plain, kernel))


@needs_kernels
def test_add_norm(random, norm):
    residual, update = random(5, 7, 48), random(5, 7, 48)
    for plain, kernel in zip(*both(lambda: add_norm(residual, update, norm)), strict=True):
        assert_close((plain, kernel))
    assert_close(both(lambda: norm_of_sum(update, residual, norm)))


@needs_kernels
def test_scatter_sum_leaves_other_tokens_alone(random):
    index, residual, update = (
        torch.tensor([4, 1], device=DEVICE),
        random(3, 2, 48),
        random(3, 2, 48),
    )

    def scattered():
        output = torch.full((3, 6, 48), 7.0, device=DEVICE)
        scatter_sum(output, index, residual, update)
        return output

    plain, kernel = both(scattered)
    assert torch.equal(plain, kernel) and (kernel[:, [0, 2, 3, 5]] == 7).all()


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


@needs_kernels
def test_kernels_that_are_right_are_usable(fresh_trial):
    assert kernels_are_usable(torch.device(DEVICE))


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


def test_plain_operations_are_the_default(monkeypatch):
    def fail():
        raise AssertionError

    monkeypatch.setattr(kernels, "kernels", fail)
    states, norm = torch.randn(3, 8), nn.LayerNorm(8)
    assert torch.equal(norm_of_sum(states, states, norm), F.layer_norm(2 * states, (8,)))
    with choose_device("cpu", "float32").computing():
        norm_of_sum(states, states, norm)
