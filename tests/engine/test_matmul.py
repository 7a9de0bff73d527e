"""Prepacked networks and plain attention: torch's results, and the same bits in any batch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.engine import matmul
from harness.engine.matmul import (
    MIN_KEYS,
    PaddedLinear,
    PrepackedLinear,
    onednn_is_usable,
    plain_attention,
    prepack,
    scaled_dot_product_attention,
)

needs_onednn = pytest.mark.skipif(
    not onednn_is_usable(), reason="this torch has no oneDNN operators by the known names"
)


class FeedForward(nn.Module):
    """Two linear maps, the first followed by a GELU."""

    def __init__(self, inputs, outputs, *, bias=True, approximate="none"):
        super().__init__()
        self.dense = nn.Linear(inputs, outputs, bias=bias)
        self.activation = nn.GELU(approximate)
        self.back = nn.Linear(outputs, inputs, bias=bias)

    def forward(self, states):
        return self.back(self.activation(self.dense(states)))


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(1)


def networks(rng, inputs, outputs, **options):
    """A network with weights as large as trained ones, and the same one prepacked."""
    pair = [FeedForward(inputs, outputs, **options).requires_grad_(False) for _ in range(2)]
    for name, parameter in pair[0].named_parameters():
        scale = parameter.shape[-1] ** -0.5 if name.endswith("weight") else 1.0
        parameter.copy_(torch.randn(parameter.shape, generator=rng) * scale)
    pair[1].load_state_dict(pair[0].state_dict())
    prepack(pair[1], torch.float32)
    return pair


@pytest.mark.parametrize("shape", [(), (1,), (0,), (7,), (2, 5), (1, 1, 1), (2, 3, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_prepacked_network_gives_the_numbers_of_the_plain_one(shape, bias, rng):
    plain, packed = networks(rng, 24, 40, bias=bias)
    states = torch.randn(*shape, 24, generator=rng)
    expected, result = plain(states), packed(states)
    assert result.shape == expected.shape
    assert torch.allclose(result, expected, rtol=0, atol=1e-5)


@needs_onednn
def test_a_gelu_right_after_a_linear_map_is_computed_with_it():
    packed = FeedForward(24, 40)
    prepack(packed, torch.float32)
    assert isinstance(packed.dense, PrepackedLinear) and isinstance(packed.back, PrepackedLinear)
    assert isinstance(packed.activation, nn.Identity)
    approximate = FeedForward(24, 40, approximate="tanh")
    prepack(approximate, torch.float32)
    assert isinstance(approximate.activation, nn.GELU)


@needs_onednn
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(24, 72), (96, 384), (384, 96), (768, 3072), (3072, 768), (1024, 768)]
)
def test_a_row_has_the_same_bits_in_any_batch_and_with_any_number_of_threads(inputs, outputs, rng):
    _, packed = networks(rng, inputs, outputs)
    states = torch.randn(300, inputs, generator=rng)
    parts = [slice(1), slice(2), slice(7, 8), slice(3, 20), slice(100), slice(1, 300)]
    threads, expected = torch.get_num_threads(), packed(states)
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            for part in parts:
                assert torch.equal(packed(states[part]), expected[part])
    finally:
        torch.set_num_threads(threads)


@needs_onednn
def test_a_prepacked_weight_is_kept_in_one_layout_only(rng):
    _, packed = networks(rng, 24, 40)
    assert [name for name, _ in packed.named_parameters()] == ["dense.bias", "back.bias"]


@needs_onednn
def test_a_layer_used_twice_is_prepacked_once():
    layer = nn.Linear(8, 8)
    network = nn.ModuleDict({"one": nn.Sequential(layer), "two": nn.Sequential(layer)})
    prepack(network, torch.float32)
    assert network["one"][0] is network["two"][0]


def test_a_weight_shared_with_an_embedding_is_rounded_for_the_map_alone():
    words = nn.Embedding(40, 24)
    output = nn.Sequential(nn.Linear(24, 40))
    output[0].weight = words.weight
    prepack(output, torch.bfloat16)
    assert output[0].weight.dtype is output[0].bias.dtype is torch.bfloat16
    assert words.weight.dtype is torch.float32
    assert torch.equal(output[0].weight, words.weight.bfloat16())


def test_modules_keep_what_follows_from_their_weights():
    class Remembering(nn.Module):
        dtype = None

        def prepack(self, dtype):
            self.dtype = dtype

    network = nn.Sequential(Remembering())
    prepack(network, torch.float16)
    assert network[0].dtype is torch.float16


@pytest.mark.parametrize(
    "fault", [AttributeError("no such operator"), RuntimeError("no kernel for this processor")]
)
def test_missing_operators_are_not_used(fault, monkeypatch, rng):
    def missing(_):
        raise fault

    monkeypatch.setattr(matmul, "_prepack_weight", missing)
    try_operators_again(monkeypatch)
    plain, packed = networks(rng, 24, 40)
    states = torch.randn(3, 24, generator=rng)
    assert packed.dense.weight is not None and torch.equal(packed(states), plain(states))


@needs_onednn
def test_operators_with_other_results_are_not_used(monkeypatch):
    right = matmul._onednn_linear
    monkeypatch.setattr(matmul, "_onednn_linear", lambda *given: right(*given) + 0.01)
    try_operators_again(monkeypatch)
    assert not matmul.onednn_is_usable()


def try_operators_again(monkeypatch):
    """Discard the cached result of the trial."""
    monkeypatch.setattr(matmul, "onednn_is_usable", onednn_is_usable.__wrapped__)


def test_padded_outputs_are_dropped_from_the_result(rng):
    plain, states = nn.Linear(24, 42), torch.randn(5, 24, generator=rng)
    padded = PaddedLinear(plain)
    assert padded.weight.shape == (48, 24) and padded(states).shape == (5, 42)
    assert torch.allclose(padded(states), plain(states), atol=1e-6)
    assert torch.allclose(
        PaddedLinear(nn.Linear(24, 42, bias=False))(states[:0]), torch.empty(0, 42)
    )


def test_attention_is_the_weighted_mean_of_values(rng):
    query, key, value = (torch.randn(2, 3, length, 8, generator=rng) for length in (4, 5, 5))
    mask = torch.tensor([[[[0.0, 0.0, -torch.inf, 0.0, 0.0]]]])
    weights = (query @ key.transpose(2, 3) / 8**0.5).exp()[..., [0, 1, 3, 4]]
    expected = weights / weights.sum(-1, keepdim=True) @ value[:, :, [0, 1, 3, 4]]
    for attend in (scaled_dot_product_attention, plain_attention):
        assert torch.allclose(attend(query, key, value, mask), expected, atol=1e-5)
        one_key = attend(query, key[:, :, :1], value[:, :, :1])
        assert torch.allclose(one_key, value[:, :, :1], atol=1e-6)


@pytest.mark.parametrize("keys", [7, 8, 9, 36, 49, 144, 145, 225])
def test_plain_attention_is_that_of_torch_for_any_number_of_keys(keys, rng):
    """The windows and tokens of 192 to 480 pixels, and numbers around a multiple of 8."""
    query, key, value = (torch.randn(2, 3, length, 8, generator=rng) for length in (4, keys, keys))
    mask = torch.randn(2, 1, 4, keys, generator=rng)
    for given in (None, mask, mask[:1]):
        expected = F.scaled_dot_product_attention(query, key, value, attn_mask=given)
        assert torch.allclose(plain_attention(query, key, value, given), expected, atol=1e-6)


def test_plain_attention_is_used_where_it_is_said_to_be_faster(rng, monkeypatch):
    used = []
    plain = matmul.plain_attention
    monkeypatch.setattr(
        matmul, "plain_attention", lambda *given: used.append(None) or plain(*given)
    )
    monkeypatch.setattr(matmul, "uses_plain_matmul", lambda _, *, keys: keys >= MIN_KEYS)
    for keys in (MIN_KEYS - 1, MIN_KEYS):
        query, key, value = (torch.randn(1, 1, keys, 8, generator=rng) for _ in range(3))
        result = scaled_dot_product_attention(query, key, value)
        expected = F.scaled_dot_product_attention(query, key, value)
        assert torch.allclose(result, expected, atol=1e-6)
    assert len(used) == 1


@needs_onednn
@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_a_shared_map_that_a_gelu_follows_in_one_place_only_is_refused(order):
    shared = nn.Linear(8, 8)
    places = [nn.Sequential(shared, *([nn.GELU()] if gelu else [])) for gelu in order]
    with pytest.raises(ValueError, match="a GELU follows this shared map in some places only"):
        prepack(nn.Sequential(*places), torch.float32)
