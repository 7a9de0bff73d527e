"""Score matrices in NumPy's formats: numbers of the right shape, or refused."""

import re

import numpy as np
import pytest

from harness.errors import DataError
from harness.formats.matrices import read_array, read_matrices
from harness.metrics.retrieval import ranks

I2T, T2I = np.eye(2, 3), np.ones((3, 2), dtype=np.int64)


@pytest.mark.parametrize(
    "scores",
    [
        np.array([[1.0, 1.0 + 2**-52]]),
        np.array([[2**24, 2**24 + 1]]),
        np.array([[2**63, 2**63 + 1]], dtype=np.uint64),
        np.array([[1e300, 2e300]]),
        np.array([[0.5, 0.25]], dtype=np.float16),
        np.array([[0.5, 0.25]], dtype=np.float32),
    ],
)
def test_scores_keep_their_type_and_every_digit(tmp_path, scores):
    np.save(tmp_path / "m.npy", scores)
    read = read_array(tmp_path / "m.npy", rows=1, columns=2)
    assert read.dtype == scores.dtype and read.tolist() == scores.tolist()
    assert ranks(read, [[0]]).tolist() == [int(scores[0, 0] < scores[0, 1])]


@pytest.mark.parametrize("names", [("score_matrix_i2t", "score_matrix_t2i"), ("i2t", "t2i")])
def test_both_matrices_are_found_by_either_name(tmp_path, names):
    np.savez(tmp_path / "m.npz", **dict(zip(names, (I2T, T2I), strict=True)))
    i2t, t2i = read_matrices(tmp_path / "m.npz", images=2, texts=3)
    assert i2t.tolist() == I2T.tolist() and t2i.tolist() == T2I.tolist()


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        (np.eye(3), "should hold scores [3, 2], but holds [3, 3] of float64"),
        (np.full((3, 2), "x"), "should hold scores [3, 2], but holds [3, 2] of <U1"),
        (np.full((3, 2), np.nan), "holds NaN among its scores"),
        (np.full((3, 2), None), "is not a file of NumPy arrays"),
    ],
)
def test_what_is_no_matrix_of_scores_is_refused(tmp_path, matrix, problem):
    np.save(tmp_path / "m.npy", matrix)
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}/m.npy: {problem}")):
        read_array(tmp_path / "m.npy", rows=3, columns=2)


def test_a_missing_matrix_and_a_lone_one_are_named(tmp_path):
    np.savez(tmp_path / "m.npz", i2t=I2T, other=T2I)
    with pytest.raises(DataError, match="no array score_matrix_t2i or t2i; its arrays: i2t, other"):
        read_matrices(tmp_path / "m.npz", images=2, texts=3)
    np.save(tmp_path / "m.npy", I2T)
    with pytest.raises(
        DataError, match=r"should be an \.npz file with score_matrix_i2t and score_m"
    ):
        read_matrices(tmp_path / "m.npy", images=2, texts=3)
