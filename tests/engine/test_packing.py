"""Packed texts: every token once, cut by text and by image, padded for attention alone."""

from itertools import zip_longest

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.chunks import ChunkSizes
from harness.engine.packing import dense, pack
from harness.engine.segments import MASKED, Bucket

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=60)
FEW_IMAGES = st.lists(st.integers(0, 4), min_size=60, max_size=60)


def chunks(text_tokens, min_bucket=1):
    return ChunkSizes(
        batch=1,
        image_patches=1,
        text_tokens=text_tokens,
        min_bucket=min_bucket,
        lm_head_rows=1,
        reranked_images=1,
    )


def tokens_of(packed, lengths):
    """Text and position of every token of a pack, in order."""
    return [(text, place) for text in packed.texts.tolist() for place in range(lengths[text])]


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), max_size=120), st.integers(1, 200))
def test_every_text_is_in_one_pack_shortest_first_and_packs_are_as_large_as_allowed(
    lengths, tokens
):
    packs = list(pack(lengths, chunks(tokens)))
    texts = [text for packed in packs for text in packed.texts.tolist()]
    assert texts == sorted(range(len(lengths)), key=lambda text: (lengths[text], text))
    for packed, following in zip_longest(packs, packs[1:]):
        assert packed.lengths.tolist() == [lengths[text] for text in packed.texts]
        assert len(packed.texts) == 1 or int(packed.lengths.sum()) <= tokens
        assert following is None or int(packed.lengths.sum() + following.lengths[0]) > tokens


@settings(deadline=None)
@given(LENGTHS)
def test_a_pack_knows_the_text_position_and_id_of_every_token(lengths):
    (packed,) = pack(lengths, chunks(1000))
    expected = tokens_of(packed, lengths)
    texts, positions = packed.per_token(packed.texts).tolist(), packed.position_ids.tolist()
    assert list(zip(texts, positions, strict=True)) == expected
    assert [expected[token] for token in packed.first] == [(int(text), 0) for text in packed.texts]
    ids = [[100 * text + place for place in range(length)] for text, length in enumerate(lengths)]
    assert packed.ids_of(ids).tolist() == [100 * text + place for text, place in expected]


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 20))
def test_texts_of_a_length_share_a_bucket_and_small_buckets_go_on_with_longer_texts(
    lengths, min_bucket
):
    (packed,) = pack(lengths, chunks(1000, min_bucket))
    buckets = packed.tokens.by_text.buckets
    assert buckets[0].segments.start == 0 and buckets[-1].segments.stop == len(lengths)
    for bucket in buckets:
        some, last = packed.lengths[bucket.segments], bucket.segments.stop == len(lengths)
        assert len(some) >= min_bucket or last
        assert last or packed.lengths[bucket.segments.stop] > bucket.length == some.max()
        assert (bucket.mask is None) == (some.min() == some.max())
        assert isinstance(bucket.tokens, slice) == (bucket.mask is None)


@settings(deadline=None)
@given(LENGTHS, FEW_IMAGES, st.integers(1, 20))
def test_padding_and_unpadding_return_every_token_to_its_place(lengths, image_of, min_bucket):
    (packed,) = pack(lengths, chunks(1000, min_bucket), image_of=image_of[: len(lengths)])
    for queries, count in ((packed.tokens, sum(lengths)), (packed.cls, len(lengths))):
        tokens = torch.arange(count)[:, None]
        for segments in queries:
            padded = [bucket.pad(tokens) for bucket in segments.buckets]
            assert all(
                part.shape[1] == bucket.length
                for part, bucket in zip(padded, segments.buckets, strict=True)
            )
            assert torch.equal(segments.restore(padded), tokens)


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 20))
def test_a_mask_hides_what_lies_behind_the_end_of_a_text(lengths, min_bucket):
    (packed,) = pack(lengths, chunks(1000, min_bucket))
    tokens = torch.arange(sum(lengths))[:, None]
    for bucket in packed.tokens.by_text.buckets:
        padded = bucket.pad(tokens)
        for row, text in enumerate(range(bucket.segments.start, bucket.segments.stop)):
            first, count = int(packed.first[text]), int(packed.lengths[text])
            assert padded[row, :count, 0].tolist() == list(range(first, first + count))
            if bucket.mask is not None:
                hidden = [MASKED] * (bucket.length - count)
                assert bucket.mask[row, 0, 0].tolist() == [0.0] * count + hidden


@settings(deadline=None)
@given(LENGTHS, FEW_IMAGES, st.integers(1, 20))
def test_tokens_are_cut_by_the_image_that_their_text_is_about(lengths, image_of, min_bucket):
    image_of = image_of[: len(lengths)]
    (packed,) = pack(lengths, chunks(1000, min_bucket), image_of=image_of)
    images = packed.images.tolist()
    assert images == sorted(set(image_of))
    texts = {"tokens": packed.per_token(packed.texts), "cls": packed.texts}
    for name, text_of in texts.items():
        by_image = getattr(packed, name).by_image
        seen = []
        for bucket in by_image.buckets:
            for row, image in zip(
                bucket.pad(text_of[:, None]), images[bucket.segments], strict=True
            ):
                assert {image_of[int(text)] for text in row} == {image}
                seen.append(image)
        assert seen == images


def test_two_lengths_make_two_buckets():
    (packed,) = pack([3, 2, 3, 2], chunks(10))
    assert packed.texts.tolist() == [1, 3, 0, 2] and packed.first.tolist() == [0, 2, 4, 7]
    assert packed.tokens.by_text.buckets == (
        Bucket(slice(0, 2), slice(0, 4), 2),
        Bucket(slice(2, 4), slice(4, 10), 3),
    )
    assert packed.cls.by_text.buckets == (
        Bucket(slice(0, 2), slice(0, 2), 1),
        Bucket(slice(2, 4), slice(2, 4), 1),
    )
    assert packed.tokens.by_image.buckets == (Bucket(slice(0, 1), slice(0, 10), 10),)


def test_the_tokens_of_two_images_are_sorted_by_image():
    (packed,) = pack([1, 2, 2], chunks(10), image_of=[5, 2, 5])
    assert packed.images.tolist() == [2, 5] and packed.texts.tolist() == [0, 1, 2]
    by_image = packed.tokens.by_image
    first, second = by_image.buckets
    assert (first.segments, first.tokens.tolist()) == (slice(0, 1), [[1, 2]])  # the second text's
    assert (second.segments, second.tokens.tolist()) == (slice(1, 2), [[0, 3, 4]])
    assert by_image.position.tolist() == [2, 0, 1, 3, 4]
    assert [bucket.tokens.tolist() for bucket in packed.cls.by_image.buckets] == [[[1]], [[0, 2]]]


def test_the_padded_tokens_of_two_images_are_sorted_by_image():
    (packed,) = pack([1, 2, 2], chunks(10, min_bucket=2), image_of=[5, 2, 5])
    (bucket,) = packed.tokens.by_image.buckets
    assert bucket.tokens.tolist() == [[1, 2, 2], [0, 3, 4]] and bucket.length == 3
    assert bucket.mask[:, 0, 0].tolist() == [[0.0, 0.0, MASKED], [0.0, 0.0, 0.0]]
    assert packed.tokens.by_image.position.tolist() == [3, 0, 1, 4, 5]


def test_a_decoder_step_is_one_bucket_of_texts_and_one_of_images():
    queries = dense(2, 3, 4)
    assert queries.by_text.buckets == (Bucket(slice(0, 6), slice(0, 24), 4),)
    assert queries.by_image.buckets == (Bucket(slice(0, 2), slice(0, 24), 12),)
