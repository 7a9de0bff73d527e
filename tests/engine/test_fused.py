"""Fused kernels compute what torch's operations compute, and are used only where asked for.

The kernels are compared on a CUDA device, or with `TRITON_INTERPRET=1` on a CPU where Triton is
installed.
"""

import os
from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.engine import kernels, matmul
from harness.engine.device import FUSED, choose_device
from harness.engine.fused import (
    add_norm,
    gather_norm,
    norm_of_sum,
    scatter_sum,
    window_attention,
)
from harness.engine.kernels import fused_kernels, kernels_are_usable
from harness.engine.matmul import GeluLinear, prepack, scaled_dot_product_attention

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
    assert_close(both(lambda: window_attention(qkv, bias, heads=2)))


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

    monkeypatch.setattr(matmul, "kernels", Kernels)
    query = torch.randn(1, 2, 3, 16)
    with fused_kernels(True), torch.inference_mode():
        assert scaled_dot_product_attention(query, query, query).shape == query.shape
        monkeypatch.setattr(matmul, "fp32_precision", lambda: "tf32")
        assert scaled_dot_product_attention(query, query, query) == "tf32"
    assert scaled_dot_product_attention(query, query, query).shape == query.shape


@needs_kernels
def test_heads_of_other_widths_attend_by_plain_operations(random):
    qkv, bias = random(1, 2, 9, 3 * 2 * 12), random(1, 2, 9, 9)
    plain, kernel = both(lambda: window_attention(qkv, bias, heads=2))
    assert torch.equal(plain, kernel)


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


@needs_kernels
def test_a_linear_map_and_its_gelu(random):
    network = nn.Sequential(nn.Linear(64, 200), nn.GELU()).requires_grad_(False).to(DEVICE)
    states = random(3, 50, 64)
    expected = network(states)
    prepack(network, torch.float32, fused=True)
    assert isinstance(network[0], GeluLinear) and isinstance(network[1], nn.Identity)
    assert_close((expected, network(states)))


@needs_kernels
def test_kernels_that_are_right_are_usable():
    kernels_are_usable.cache_clear()
    assert kernels_are_usable(torch.device(DEVICE))


def test_without_a_compiler_torch_computes_and_one_line_says_so(monkeypatch):
    def missing():
        raise ImportError("no compiler\nand more lines")

    monkeypatch.setattr(kernels, "kernels", missing)
    kernels_are_usable.cache_clear()
    with pytest.warns(UserWarning, match=r"^no fused kernels.*ImportError: no compiler$"):
        assert not kernels_are_usable(torch.device("cpu"))
    kernels_are_usable.cache_clear()


def test_kernels_that_are_wrong_are_not_used(monkeypatch):
    class Wrong:
        @staticmethod
        def rows(states, *, update, norm, normed):
            normed.copy_(norm(states))

    monkeypatch.setattr(kernels, "kernels", Wrong)
    kernels_are_usable.cache_clear()
    with pytest.warns(UserWarning, match="a result differs"):
        assert not kernels_are_usable(torch.device("cpu"))
    kernels_are_usable.cache_clear()


def test_kernels_are_used_only_where_asked_for_and_on_a_gpu(monkeypatch):
    monkeypatch.delenv(FUSED, raising=False)
    assert not choose_device(DEVICE, "float32").fused
    monkeypatch.setenv(FUSED, "1")
    assert not choose_device("cpu", "float32").fused


def test_plain_operations_are_the_default(monkeypatch):
    def fail():
        raise AssertionError

    monkeypatch.setattr(kernels, "kernels", fail)
    states, norm = torch.randn(3, 8), nn.LayerNorm(8)
    assert torch.equal(norm_of_sum(states, states, norm), F.layer_norm(2 * states, (8,)))
    with choose_device("cpu", "float32").computing():
        norm_of_sum(states, states, norm)
