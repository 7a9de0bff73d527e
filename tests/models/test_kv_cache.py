"""The KV cache: updated in place, with the same result as concatenation at every step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.models.fusion.kv import KV, CrossKV, KVCache

HEADS, WIDTH, CAPACITY = 2, 3, 9


def random_kv(texts, tokens, seed):
    rng = torch.Generator().manual_seed(seed)
    return KV(*(torch.randn(texts, HEADS, tokens, WIDTH, generator=rng) for _ in range(2)))


@settings(deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 3))
def test_reordering_and_appending_in_place_equal_selection_and_concatenation(data, texts, tokens):
    expected = prompt = random_kv(texts, tokens, seed=0)
    cache = KVCache(prompt, capacity=CAPACITY)
    for step in range(CAPACITY - tokens):
        text = st.integers(0, len(expected.keys) - 1)
        rows = torch.tensor(data.draw(st.lists(text, min_size=1, max_size=12)))
        more = random_kv(len(rows), 1, seed=step + 1)
        cache.reorder(rows)
        expected, result = expected.select(rows).append(more), cache.append(more)
        assert torch.equal(result.keys, expected.keys)
        assert torch.equal(result.values, expected.values)


def test_the_prompt_is_not_modified():
    prompt = random_kv(2, 3, seed=0)
    cache = KVCache(prompt, capacity=CAPACITY)
    cache.reorder(torch.tensor([1, 0]))
    cache.append(random_kv(2, 1, seed=1))
    assert torch.equal(prompt.keys, random_kv(2, 3, seed=0).keys)


def test_a_token_beyond_the_capacity_is_refused():
    cache = KVCache(random_kv(1, 2, seed=0), capacity=3)
    with pytest.raises(ValueError, match="3 tokens exceed the KV cache's capacity of 2"):
        cache.append(random_kv(1, 1, seed=1))
    cache = KVCache(random_kv(1, 2, seed=0), capacity=3)
    cache.reorder(torch.tensor([0]))
    cache.append(random_kv(1, 1, seed=1))
    with pytest.raises(ValueError, match="4 tokens exceed the KV cache's capacity of 3"):
        cache.append(random_kv(1, 1, seed=2))


def test_nothing_is_allocated_while_the_number_of_texts_does_not_grow():
    cache = KVCache(random_kv(2, 1, seed=0), capacity=CAPACITY)
    cache.reorder(torch.tensor([0, 1, 1, 0]))
    first = cache.append(random_kv(4, 1, seed=1)).keys
    cache.reorder(torch.tensor([3, 2, 1]))
    assert cache.append(random_kv(3, 1, seed=2)).keys.data_ptr() == first.data_ptr()


def test_all_images_in_order_are_not_copied():
    images = CrossKV((random_kv(3, 2, seed=0),))
    assert images.of_images(torch.arange(3)) is images
    some = images.of_images(torch.tensor([2, 0]))
    assert len(some) == 2 and torch.equal(some.layers[0].keys, images.layers[0].keys[[2, 0]])
