"""Texts laid end to end."""

from itertools import zip_longest

import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.chunks import ChunkSizes
from harness.engine.packing import Bucket, pack


def grain(tokens, min_bucket=1):
    return ChunkSizes(
        batch=1,
        image_patches=1,
        text_tokens=tokens,
        min_group=1,
        min_bucket=min_bucket,
        lm_head_rows=1,
    )


@given(st.lists(st.integers(1, 40), max_size=120), st.integers(1, 200))
def test_every_text_is_in_one_strip_shortest_first_and_a_strip_is_as_long_as_may_be(
    lengths, tokens
):
    packs = list(pack(lengths, grain(tokens)))
    laid = [text for packed in packs for text in packed.texts.tolist()]
    assert laid == sorted(range(len(lengths)), key=lambda text: (lengths[text], text))
    for packed, following in zip_longest(packs, packs[1:]):
        assert packed.length.tolist() == [lengths[text] for text in packed.texts]
        assert len(packed.texts) == 1 or int(packed.length.sum()) <= tokens
        assert following is None or int(packed.length.sum() + following.length[0]) > tokens


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_a_strip_tells_where_texts_begin_where_tokens_stand_and_which_texts_are_of_one_length(
    lengths,
):
    (packed,) = pack(lengths, grain(1000))
    expected = [(text, place) for text in packed.texts.tolist() for place in range(lengths[text])]
    assert (
        list(
            zip(packed.per_token(packed.texts).tolist(), packed.position_ids.tolist(), strict=True)
        )
        == expected
    )
    assert [expected[token] for token in packed.first.tolist()] == [
        (text, 0) for text in packed.texts.tolist()
    ]
    of_buckets = [
        (text, place)
        for bucket in packed.buckets
        for text in packed.texts[bucket.texts].tolist()
        for place in range(bucket.length)
    ]
    assert of_buckets == expected
    assert all(
        bucket.tokens.stop - bucket.tokens.start
        == (bucket.texts.stop - bucket.texts.start) * bucket.length
        for bucket in packed.buckets
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 20))
def test_where_few_texts_are_alike_they_sit_in_one_table_with_longer_ones(lengths, min_bucket):
    (packed,) = pack(lengths, grain(1000, min_bucket))
    tokens = torch.arange(sum(lengths))[:, None]
    ends = [bucket.texts.stop for bucket in packed.buckets]
    assert ends[-1] == len(lengths) and packed.buckets[0].texts.start == 0
    for bucket in packed.buckets:
        length = packed.length[bucket.texts]
        assert len(length) >= min_bucket or bucket.texts.stop == len(lengths)
        assert (
            bucket.texts.stop == len(lengths)
            or packed.length[bucket.texts.stop] > bucket.length == length.max()
        )
        table = bucket.pad(tokens)
        assert table.shape == (len(length), bucket.length, 1) and torch.equal(
            bucket.unpad(table), tokens[bucket.tokens]
        )
        assert (bucket.padding is None) == (length.min() == length.max())
        for row, count in enumerate(length.tolist()):
            first = int(packed.first[bucket.texts][row])
            assert table[row, :count, 0].tolist() == list(range(first, first + count))
            if bucket.mask is not None:
                assert bucket.mask[row, 0, 0].tolist() == [0.0] * count + [-torch.inf] * (
                    bucket.length - count
                )


def test_texts_of_one_length_lie_next_to_one_another():
    (packed,) = pack([3, 2, 3, 2], grain(10))
    assert packed.texts.tolist() == [1, 3, 0, 2] and packed.first.tolist() == [0, 2, 4, 7]
    assert packed.buckets == (
        Bucket(slice(0, 2), slice(0, 4), 2),
        Bucket(slice(2, 4), slice(4, 10), 3),
    )
    assert torch.equal(packed.position_ids, torch.tensor([0, 1, 0, 1, 0, 1, 2, 0, 1, 2]))
