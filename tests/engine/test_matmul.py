"""Linear maps and attention as a device computes them fastest: the same numbers, the same bits in any company."""

import pytest
import torch
import torch.nn.functional as F

from harness.engine import matmul as products
from harness.engine.matmul import (
    ALIGNED,
    WORTHWHILE,
    Linear,
    aligned,
    attend,
    attend_by_products,
    lays_out,
    settle,
    widened,
)

laid_out = pytest.mark.skipif(
    not lays_out(), reason="this torch has no products of oneDNN by the names that we know"
)


@pytest.fixture
def draws():
    return torch.Generator().manual_seed(1)


def linear(draws, inputs, outputs, *, bias=True):
    """A map with weights as large as trained ones, and the same one settled."""
    maps = [Linear(inputs, outputs, bias=bias).requires_grad_(False) for _ in range(2)]
    weight, offset = (
        torch.randn(outputs, inputs, generator=draws) / inputs**0.5,
        torch.randn(outputs, generator=draws),
    )
    for one in maps:
        one.weight.copy_(weight)
        if bias:
            one.bias.copy_(offset)
    settle(maps[1], torch.float32)
    return maps


@pytest.mark.parametrize("shape", [(), (1,), (0,), (7,), (2, 5), (1, 1, 1), (2, 3, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_settled_map_gives_the_numbers_of_one_that_is_not(shape, bias, draws):
    plain, settled = linear(draws, 24, 40, bias=bias)
    states, before = (
        torch.randn(*shape, 24, generator=draws),
        torch.randn(*shape, 40, generator=draws),
    )
    for found, expected in (
        (settled(states), F.linear(states, plain.weight, plain.bias)),
        (settled.activated(states), F.gelu(F.linear(states, plain.weight, plain.bias))),
        (settled.added(states, before), F.linear(states, plain.weight, plain.bias) + before),
    ):
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, rtol=0, atol=1e-5)


@laid_out
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(24, 72), (96, 384), (384, 96), (768, 3072), (3072, 768), (1024, 768)]
)
def test_a_row_has_the_same_bits_whatever_else_is_there_and_however_many_threads_compute(
    inputs, outputs, draws
):
    _, settled = linear(draws, inputs, outputs)
    states, before = (
        torch.randn(300, inputs, generator=draws),
        torch.randn(300, outputs, generator=draws),
    )
    kinds = [lambda part: settled(states[part]), lambda part: settled.activated(states[part])]
    kinds.append(lambda part: settled.added(states[part], before[part]))
    threads = torch.get_num_threads()
    for compute in kinds:
        expected = compute(slice(None))
        try:
            for number in (1, 2):
                torch.set_num_threads(number)
                for part in (
                    slice(1),
                    slice(2),
                    slice(7, 8),
                    slice(3, 20),
                    slice(100),
                    slice(1, 300),
                ):
                    assert torch.equal(compute(part), expected[part])
        finally:
            torch.set_num_threads(threads)


@laid_out
def test_a_settled_map_keeps_its_matrix_in_one_layout_only(draws):
    _, settled = linear(draws, 24, 40)
    assert [name for name, _ in settled.named_parameters()] == ["bias"]


def test_a_matrix_with_other_uses_stays_as_it_is_where_a_map_rounds_it():
    words = torch.nn.Embedding(40, 24)
    output = Linear(24, 40)
    output.weight = words.weight
    settle(output, torch.bfloat16)
    assert (
        output.weight.dtype is output.bias.dtype is torch.bfloat16
        and words.weight.dtype is torch.float32
    )
    assert torch.equal(output.weight, words.weight.bfloat16())


@pytest.mark.parametrize(
    "fault", [AttributeError("no such operator"), RuntimeError("no kernel for this processor")]
)
def test_operators_that_are_not_there_are_not_used(fault, monkeypatch, draws):
    def missing(_):
        raise fault

    monkeypatch.setattr(products, "_layout", missing)
    without_trust(monkeypatch)
    plain, settled = linear(draws, 24, 40)
    states = torch.randn(3, 24, generator=draws)
    assert settled.weight is not None and torch.equal(settled(states), plain(states))


@laid_out
def test_operators_that_give_other_numbers_are_not_used(monkeypatch):
    right = products._sum
    monkeypatch.setattr(products, "_sum", lambda *given: right(*given) + 0.01)
    without_trust(monkeypatch)
    assert not products.lays_out()


def without_trust(monkeypatch):
    """Let the operators be tried again, and forget what comes out."""
    monkeypatch.setattr(products, "lays_out", lays_out.__wrapped__)


def test_attention_is_the_weighted_mean_of_values(draws):
    query, keys, values = (torch.randn(2, 3, length, 8, generator=draws) for length in (4, 5, 5))
    mask = torch.tensor([[[[0.0, 0.0, -1e4, 0.0, 0.0]]]])
    weights = (query @ keys.transpose(2, 3) / 8**0.5).exp()[..., [0, 1, 3, 4]]
    expected = weights / weights.sum(-1, keepdim=True) @ values[:, :, [0, 1, 3, 4]]
    for way in (attend, attend_by_products):
        assert torch.allclose(way(query, keys, values, mask), expected, atol=1e-5)
        assert torch.allclose(
            way(query, keys[:, :, :1], values[:, :, :1]), values[:, :, :1], atol=1e-6
        )


@pytest.mark.parametrize("seen", [7, 8, 9, 145])
def test_attention_by_products_is_that_of_torch_whatever_the_number_of_keys(seen, draws):
    query, keys, values = (
        torch.randn(2, 3, length, 8, generator=draws) for length in (4, seen, seen)
    )
    mask = torch.randn(2, 1, 4, seen, generator=draws)
    for given in (None, mask, mask[:1]):
        expected = F.scaled_dot_product_attention(query, keys, values, attn_mask=given)
        assert torch.allclose(attend_by_products(query, keys, values, given), expected, atol=1e-6)
    filled_up = F.pad(mask, (0, -seen % ALIGNED), value=-torch.inf)
    expected = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    assert torch.allclose(attend_by_products(query, keys, values, filled_up), expected, atol=1e-6)


@pytest.mark.parametrize("seen", [4, 36, 49, 144, 225])
def test_a_mask_that_is_used_often_is_made_as_attention_wants_it_whatever_the_number_of_keys(
    seen, draws, monkeypatch
):
    """As on a GPU in 32 bits: the windows of 64, 192, 224, 384 and 480 pixels."""
    monkeypatch.setattr(products, "by_products", lambda _, *, seen: seen >= WORTHWHILE)
    query, keys, values = (torch.randn(2, 3, seen, 8, generator=draws) for _ in range(3))
    mask = torch.randn(1, 3, seen, seen, generator=draws)
    expected = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
    assert torch.allclose(attend(query, keys, values, aligned(mask)), expected, atol=1e-5)


def test_a_widened_map_has_aligned_rows_that_begin_as_before(draws):
    plain, _ = linear(draws, 24, 42)
    wide, states = widened(plain), torch.randn(5, 24, generator=draws)
    assert wide(states).shape == (5, 48)
    assert torch.allclose(wide(states)[:, :42], plain(states), atol=1e-6)
