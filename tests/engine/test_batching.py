"""Texts brought together by length, and seated at what they look at."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.batching import WASTE, by_length, padded, seat
from harness.engine.chunks import ChunkSizes

LENGTHS = st.lists(st.integers(1, 40), max_size=120)
FEW = 16
CHUNK_SIZES = st.integers(1, 200).map(lambda tokens: grain(tokens))


def grain(tokens, min_group=FEW):
    return ChunkSizes(
        batch=1,
        image_patches=1,
        text_tokens=tokens,
        min_group=min_group,
        min_bucket=1,
        lm_head_rows=1,
    )


def test_texts_of_like_length_come_together_shortest_first():
    assert list(by_length([5, 2, 5, 2], grain(10))) == [[1, 3], [0, 2]]
    assert list(by_length([3, 3, 3, 3], grain(6))) == [[0, 1], [2, 3]]
    assert list(by_length([], grain(6))) == []


def test_few_texts_come_together_whatever_their_padding():
    assert list(by_length([1, 9, 1, 9], grain(99, min_group=1))) == [[0, 2], [1, 3]]
    assert list(by_length([1, 9, 1, 9], grain(99, min_group=4))) == [[0, 2, 1, 3]]


@given(LENGTHS, CHUNK_SIZES)
def test_every_text_is_in_one_group_and_a_group_has_few_tokens_and_little_padding(
    lengths, chunk_sizes
):
    groups = list(by_length(lengths, chunk_sizes))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[index] for index in group)
        assert len(group) == 1 or len(group) * longest <= chunk_sizes.text_tokens
        if len(group) > FEW:
            assert (
                len(group) * longest - sum(lengths[index] for index in group)
                <= WASTE * len(group) * longest
            )


@given(st.data(), LENGTHS.filter(len), CHUNK_SIZES)
def test_every_text_is_seated_once_at_its_memory_and_empty_seats_have_one_token(
    data, lengths, grain
):
    memory_of = np.array(
        data.draw(st.lists(st.integers(0, 4), min_size=len(lengths), max_size=len(lengths)))
    )
    texts = [list(range(1, length + 1)) for length in lengths]
    seated = []
    for table in seat(texts, memory_of, grain):
        assert table.ids.shape == table.present.shape and (table.present.sum(-1) >= 1).all()
        assert torch.equal(table.memories[table.row], torch.from_numpy(memory_of)[table.texts])
        assert len(set(zip(table.row.tolist(), table.column.tolist(), strict=True))) == len(
            table.texts
        )
        for text, ids, present in zip(
            table.texts, table.each(table.ids), table.each(table.present), strict=True
        ):
            assert ids[present.bool()].tolist() == texts[text] and not ids[~present.bool()].any()
        seated += table.texts.tolist()
    assert sorted(seated) == list(range(len(texts)))


def test_seven_readers_of_one_memory_and_one_of_another_sit_in_two_rows():
    (table,) = seat([[7]] * 8, np.array([5, 5, 5, 2, 5, 5, 5, 5]), grain(99))
    assert table.memories.tolist() == [2, 5] and table.ids.shape == (2, 7, 1)
    assert table.row.tolist() == [1, 1, 1, 0, 1, 1, 1, 1] and table.column.tolist() == [
        0,
        1,
        2,
        0,
        3,
        4,
        5,
        6,
    ]


def test_padding_is_zero_and_told():
    ids, present = padded([[4, 5, 6], [9]])
    assert ids.tolist() == [[4, 5, 6], [9, 0, 0]] and present.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert ids.dtype == present.dtype == torch.long
