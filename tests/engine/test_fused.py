"""Fused kernels compute what torch's operations compute, and are used only where they are faster.

The kernels are compared on a CUDA device, or with `TRITON_INTERPRET=1` on a CPU where Triton is
installed.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.engine import fused, kernels, matmul
from harness.engine.device import choose_device
from harness.engine.fused import add_norm, gather_norm, norm_of_sum, scatter_sum, window_attention
from harness.engine.kernels import fused_kernels, kernels_are_usable
from harness.engine.matmul import scaled_dot_product_attention
from tests.support.kernel_trials import DEVICE, fresh_trial, needs_kernels

__all__ = ["fresh_trial"]  # a fixture


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
def test_the_kernel_attends_in_windows_as_torch_does(random, tokens, biases):
    qkv, bias = random(2, 3, tokens, 3 * 2 * 16), random(biases, 2, tokens, tokens)
    bias[..., 0, -1] = -100
    expected = window_attention(qkv, bias, heads=2)
    assert_close((expected, kernels.kernels().window_attention(qkv, bias, 2, "ieee")))


@needs_kernels
@pytest.mark.parametrize("shape", [(3, 5, 5), (2, 20, 40), (1, 70, 33)], ids=str)
def test_the_kernel_attends_to_strided_keys_with_any_mask_as_torch_does(random, shape):
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
def test_rows_are_gathered_and_normalised_as_by_torch(random, norm):
    tokens, index = random(2, 10, 48), torch.tensor([7, 0, 3, 9], device=DEVICE)
    for plain, kernel in zip(*both(lambda: gather_norm(tokens, index, norm)), strict=True):
        assert_close((plain, kernel))


@needs_kernels
def test_a_sum_is_normalised_as_by_torch(random, norm):
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
def test_kernels_that_are_right_are_usable(fresh_trial):
    assert kernels_are_usable(torch.device(DEVICE))


def test_plain_operations_are_the_default(monkeypatch):
    def fail():
        raise AssertionError

    monkeypatch.setattr(kernels, "kernels", fail)
    states, norm = torch.randn(3, 8), nn.LayerNorm(8)
    assert torch.equal(norm_of_sum(states, states, norm), F.layer_norm(2 * states, (8,)))
    with choose_device("cpu", "float32").computing():
        norm_of_sum(states, states, norm)
