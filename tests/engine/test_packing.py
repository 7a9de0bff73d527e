"""Texts laid end to end."""

from itertools import zip_longest

import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.engine.chunks import ChunkSizes
from harness.engine.packing import Run, lay_out


def grain(tokens, alike=1):
    return ChunkSizes(samples=1, patches=1, tokens=tokens, few=1, alike=alike, rows=1)


@given(st.lists(st.integers(1, 40), max_size=120), st.integers(1, 200))
def test_every_text_is_in_one_strip_shortest_first_and_a_strip_is_as_long_as_may_be(
    lengths, tokens
):
    strips = list(lay_out(lengths, grain(tokens)))
    laid = [text for strip in strips for text in strip.texts.tolist()]
    assert laid == sorted(range(len(lengths)), key=lambda text: (lengths[text], text))
    for strip, following in zip_longest(strips, strips[1:]):
        assert strip.length.tolist() == [lengths[text] for text in strip.texts]
        assert len(strip.texts) == 1 or int(strip.length.sum()) <= tokens
        assert following is None or int(strip.length.sum() + following.length[0]) > tokens


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_a_strip_tells_where_texts_begin_where_tokens_stand_and_which_texts_are_of_one_length(
    lengths,
):
    (strip,) = lay_out(lengths, grain(1000))
    expected = [(text, place) for text in strip.texts.tolist() for place in range(lengths[text])]
    assert (
        list(zip(strip.spread(strip.texts).tolist(), strip.places.tolist(), strict=True))
        == expected
    )
    assert [expected[token] for token in strip.first.tolist()] == [
        (text, 0) for text in strip.texts.tolist()
    ]
    of_runs = [
        (text, place)
        for run in strip.runs
        for text in strip.texts[run.texts].tolist()
        for place in range(run.length)
    ]
    assert of_runs == expected
    assert all(
        run.tokens.stop - run.tokens.start == (run.texts.stop - run.texts.start) * run.length
        for run in strip.runs
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 20))
def test_where_few_texts_are_alike_they_sit_in_one_table_with_longer_ones(lengths, alike):
    (strip,) = lay_out(lengths, grain(1000, alike))
    tokens = torch.arange(sum(lengths))[:, None]
    ends = [run.texts.stop for run in strip.runs]
    assert ends[-1] == len(lengths) and strip.runs[0].texts.start == 0
    for run in strip.runs:
        length = strip.length[run.texts]
        assert len(length) >= alike or run.texts.stop == len(lengths)
        assert (
            run.texts.stop == len(lengths)
            or strip.length[run.texts.stop] > run.length == length.max()
        )
        table = run.seated(tokens)
        assert table.shape == (len(length), run.length, 1) and torch.equal(
            run.laid(table), tokens[run.tokens]
        )
        assert (run.seats is None) == (length.min() == length.max())
        for row, count in enumerate(length.tolist()):
            first = int(strip.first[run.texts][row])
            assert table[row, :count, 0].tolist() == list(range(first, first + count))
            if run.hidden is not None:
                assert run.hidden[row, 0, 0].tolist() == [0.0] * count + [-torch.inf] * (
                    run.length - count
                )


def test_texts_of_one_length_lie_next_to_one_another():
    (strip,) = lay_out([3, 2, 3, 2], grain(10))
    assert strip.texts.tolist() == [1, 3, 0, 2] and strip.first.tolist() == [0, 2, 4, 7]
    assert strip.runs == (Run(slice(0, 2), slice(0, 4), 2), Run(slice(2, 4), slice(4, 10), 3))
    assert torch.equal(strip.places, torch.tensor([0, 1, 0, 1, 0, 1, 2, 0, 1, 2]))
