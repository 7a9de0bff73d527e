"""What layers recall of texts that are being written: kept in place, and the same as put together anew at every step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.models.fusion.layers import KV, KVCache

HEADS, WIDTH, ROOM = 2, 3, 9


def drawn(texts, tokens, seed):
    draws = torch.Generator().manual_seed(seed)
    return KV(*(torch.randn(texts, HEADS, tokens, WIDTH, generator=draws) for _ in range(2)))


@given(st.data(), st.integers(1, 4), st.integers(1, 3))
def test_texts_that_are_chosen_written_on_and_chosen_again_are_recalled_as_if_put_together_anew(
    data, texts, tokens
):
    expected = begun = drawn(texts, tokens, seed=0)
    recalled = KVCache(begun, capacity=ROOM)
    for step in range(ROOM - tokens):
        rows = torch.tensor(
            data.draw(st.lists(st.integers(0, len(expected.keys) - 1), min_size=1, max_size=12))
        )
        more = drawn(len(rows), 1, seed=step + 1)
        recalled.reorder(rows)
        expected, found = expected.of(rows).append(more), recalled.append(more)
        assert torch.equal(found.keys, expected.keys) and torch.equal(found.values, expected.values)


def test_what_was_begun_is_left_as_it_was():
    begun = drawn(2, 3, seed=0)
    recalled = KVCache(begun, capacity=ROOM)
    recalled.reorder(torch.tensor([1, 0]))
    recalled.append(drawn(2, 1, seed=1))
    assert torch.equal(begun.keys, drawn(2, 3, seed=0).keys)


def test_a_text_without_room_is_refused():
    recalled = KVCache(drawn(1, 2, seed=0), capacity=3)
    with pytest.raises(ValueError, match="room for 2"):
        recalled.append(drawn(1, 1, seed=1))
    recalled = KVCache(drawn(1, 2, seed=0), capacity=3)
    recalled.reorder(torch.tensor([0]))
    recalled.append(drawn(1, 1, seed=1))
    with pytest.raises(ValueError, match="4 tokens, but room for 3"):
        recalled.append(drawn(1, 1, seed=2))


def test_as_long_as_no_text_is_added_nothing_is_taken_anew():
    recalled = KVCache(drawn(2, 1, seed=0), capacity=ROOM)
    recalled.reorder(torch.tensor([0, 1, 1, 0]))
    first = recalled.append(drawn(4, 1, seed=1)).keys
    recalled.reorder(torch.tensor([3, 2, 1]))
    assert recalled.append(drawn(3, 1, seed=2)).keys.data_ptr() == first.data_ptr()
