"""Ranking from scored pairs, on two images and three texts that one can follow by hand."""

import numpy as np
import pytest

from harness.metrics.pairs import PROTOCOLS, ScoredPairs, shortlist_ranks

# Image 0 has texts 0 and 1, image 1 has text 2.
ALL = [
    (0, 0, 0.9, 1.0),
    (0, 1, 0.1, 3.0),
    (0, 2, 0.5, 2.0),
    (1, 0, 0.2, 5.0),
    (1, 1, 0.3, 0.0),
    (1, 2, 0.4, 4.0),
]


def pairs(rows):
    image, text, itc, itm = (np.array(column) for column in zip(*rows, strict=True))
    return ScoredPairs(image, text, itc.astype(np.float32), itm.astype(np.float32))


def ranks(rows, *, shortlist, protocol="itm"):
    return shortlist_ranks(pairs(rows), [2, 1], shortlist=shortlist)[protocol]


def test_the_matching_score_ranks_and_the_best_text_of_an_image_counts():
    i2t, t2i = ranks(ALL, shortlist=3)
    assert i2t.rank.tolist() == [0, 1]  # text 1 leads with 3.0; text 2 comes after text 0
    assert t2i.rank.tolist() == [1, 0, 0]
    assert not i2t.outside.any() and not t2i.outside.any()


def test_only_the_most_similar_are_on_the_shortlist():
    i2t, _ = ranks(ALL, shortlist=2)
    # Image 0 ranks texts 0 and 2 only, image 1 texts 2 and 1.
    assert i2t.rank.tolist() == [1, 0]
    i2t, t2i = ranks(ALL, shortlist=1)
    assert i2t.outside.tolist() == [False, False]
    assert t2i.outside.tolist() == [False, True, True]


def test_what_another_direction_added_changes_nothing():
    # Text 0 prefers image 0, image 1 prefers texts 2 and 1.
    shortlisted = [row for row in ALL if row[:2] != (1, 0)]
    assert (
        ranks(ALL, shortlist=2)[0].rank.tolist() == ranks(shortlisted, shortlist=2)[0].rank.tolist()
    )


def test_the_other_protocols_of_the_family():
    assert ranks(ALL, shortlist=3, protocol="itc")[0].rank.tolist() == [0, 0]
    assert ranks(ALL, shortlist=3, protocol="itm+itc")[0].rank.tolist() == [0, 1]


def test_of_equal_scores_the_later_index_comes_first_as_in_a_matrix():
    i2t, _ = ranks(
        [(0, 0, 0.5, 1.0), (0, 1, 0.5, 1.0), (0, 2, 0.5, 1.0), (1, 2, 0.5, 1.0)], shortlist=3
    )
    assert i2t.rank.tolist() == [1, 0]


def test_the_order_in_which_pairs_are_stored_does_not_matter():
    for way, (there, back) in enumerate(
        zip(ranks(ALL, shortlist=2), ranks(ALL[::-1], shortlist=2), strict=True)
    ):
        assert there.rank.tolist() == back.rank.tolist(), way


def test_a_score_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="not a number"):
        ranks([(0, 0, 0.5, float("nan")), *ALL[1:]], shortlist=3)


def literal_ranks(rows, right, *, queries, shortlist, score):
    """Sort each query's pairs twice, as the protocol reads: by similarity, then by score."""
    ranks = []
    for query in range(queries):
        own = sorted((row for row in rows if row[0] == query), key=lambda row: (-row[2], row[1]))
        own = sorted(own[:shortlist], key=lambda row: (-score(*row[2:]), -row[1]))
        hits = [rank for rank, row in enumerate(own) if right(*row[:2])]
        ranks.append(hits[0] if hits else np.iinfo(np.int64).max)
    return ranks


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("shortlist", [1, 3, 100])
def test_ranks_are_those_of_sorting_every_query(protocol, shortlist):
    draws, captions = np.random.default_rng(shortlist), [2, 0, 3, 1, 4]
    image_of = np.repeat(np.arange(5), captions)
    for _ in range(20):
        compared = [divmod(pair, 10) for pair in draws.permutation(50)[:35].tolist()]
        few = draws.integers(0, 4, (35, 2)) / 2  # many are equal
        rows = [(*pair, *scores) for pair, scores in zip(compared, few.tolist(), strict=True)]
        i2t, t2i = shortlist_ranks(pairs(rows), captions, shortlist=shortlist)[protocol]
        score = PROTOCOLS[protocol]
        assert i2t.rank.tolist() == literal_ranks(
            rows, lambda image, text: image_of[text] == image,
            queries=5, shortlist=shortlist, score=score,
        )  # fmt: skip
        assert t2i.rank.tolist() == literal_ranks(
            [(text, image, *scores) for image, text, *scores in rows],
            lambda text, image: image_of[text] == image,
            queries=10, shortlist=shortlist, score=score,
        )  # fmt: skip
        assert i2t.outside.tolist() == [rank > 100 for rank in i2t.rank]


def test_more_queries_than_16_bits_count():
    rows = [(0, 69_999, 0.5, 1.0), (0, 4_463, 0.6, 2.0), (1, 69_999, 0.4, 3.0)]
    i2t, t2i = shortlist_ranks(pairs(rows), [70_000, 0], shortlist=2)["itm"]
    assert i2t.rank[0] == 0
    assert (t2i.rank[69_999], t2i.rank[4_463], t2i.outside.sum()) == (1, 0, 69_998)
