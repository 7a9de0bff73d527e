"""Recalls on scores one can check by hand."""

import numpy as np
import pytest

from harness.metrics.retrieval import ranks, recalls

SCORES = np.array([[0.1, 0.9, 0.5], [0.2, 0.2, 0.2], [0.3, 0.1, 0.7]], dtype=np.float32)


def test_a_query_is_found_by_the_best_of_its_true_candidates():
    assert ranks(SCORES, [[0, 2], [0], [1]]).tolist() == [1, 2, 2]


def test_of_equal_scores_the_later_index_comes_first():
    assert ranks(SCORES[1:2], [[2]]).tolist() == [0]
    assert ranks(SCORES[1:2], [[0]]).tolist() == [2]


def test_a_query_without_truth_is_never_found():
    assert ranks(SCORES[:1], [[]]).tolist() == [3]


def test_recalls_are_shares_of_queries_in_percent():
    assert recalls(np.array([0, 4, 5, 9, 99]), prefix="i2t") == {
        "i2t_r1": 20.0,
        "i2t_r5": 40.0,
        "i2t_r10": 80.0,
    }


def test_a_score_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="not a number"):
        ranks(np.array([[0.1, np.nan]], dtype=np.float32), [[0]])


def test_no_query_is_an_error_and_not_zero():
    with pytest.raises(ValueError, match="no query"):
        recalls(np.array([], dtype=np.int64), prefix="i2t")
