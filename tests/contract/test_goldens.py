"""Golden folders that others made: what a case may hold, and what it may lack."""

import os

import numpy as np
import pytest

from tests.support.forked import RunningPytest
from tests.support.golden import (
    TESTS,
    Case,
    golden_kinds,
    golden_params,
    untested_cases,
)
from tests.support.real_files import real_data
from tests.support.shortlists import cut_within_ties, ranked_alike, scores_of_ranked

KINDS = golden_kinds()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XVLM_EVAL_GOLDEN", str(tmp_path))
    return tmp_path


def test_every_case_of_a_kind_is_run_whatever_it_is_called(folder):
    for name in ("b_other", "b_retrieval", "unknown", ".git"):
        (folder / name).mkdir()
    (folder / "b_notes.txt").touch()
    assert [param.id for param in golden_params("b_")] == ["b_other", "b_retrieval"]


def test_a_kind_without_cases_is_skipped_with_the_reason(folder):
    (param,) = golden_params("b_")
    (mark,) = param.marks
    assert mark.name == "skip"
    assert mark.kwargs["reason"] == f"no golden of the kind b_ in {folder}"


def test_files_that_a_case_may_lack_are_named_where_they_are_skipped(folder):
    with pytest.raises(pytest.skip.Exception, match=rf"the golden {folder.name} has no edge/"):
        Case(folder).path_of("edge/")


def test_arrays_of_any_width_are_read_as_float32_and_int64(folder):
    arrays = {"a": np.float64([0.5]), "b": np.int32([7]), "c": np.uint8([255]), "d": np.array(True)}
    np.savez(folder / "inputs.npz", **arrays)
    read = Case(folder).arrays
    assert {name: str(array.dtype) for name, array in read.items()} == {
        "a": "float32",
        "b": "int64",
        "c": "uint8",
        "d": "int64",
    }
    assert (read["a"].tolist(), read["b"].tolist(), read["d"].item()) == ([0.5], [7], 1)


def test_a_shortlist_is_uncertain_where_it_ends_among_equal_scores():
    scores = np.array([[0.5, 0.9, 0.5, 0.1], [0.5, 0.9, 0.6, 0.1]])
    assert cut_within_ties(scores, 2).tolist() == [True, False]
    assert cut_within_ties(scores, 4).tolist() == [False, False]


def test_rankings_may_differ_among_equal_scores_alone():
    scores = np.array([[0.5, 0.9, 0.5, 0.1]])
    official = np.array([[1, 0, 2]])
    assert ranked_alike(official, official, scores)
    assert ranked_alike(np.array([[1, 2, 0]]), official, scores)
    assert not ranked_alike(np.array([[0, 1, 2]]), official, scores)
    assert not ranked_alike(np.array([[1, 0, 3]]), official, scores)
    assert not ranked_alike(np.array([[1, 0, 0]]), official, scores)
    assert not ranked_alike(np.array([[1, 0]]), official, scores)


def test_scores_of_rankings_are_found_by_candidate():
    by_candidate = scores_of_ranked(np.array([[2, 0, 1]]), np.array([[0.7, 0.2, 0.1]]))
    assert by_candidate.tolist() == [[0.2, 0.1, 0.7]]


def test_a_folder_without_any_golden_is_refused(folder):
    for name in ("golden", "data"):
        (folder / name).mkdir()
    with pytest.raises(pytest.UsageError, match=rf"no golden in {folder}: its folders"):
        untested_cases()


def test_cases_that_no_test_compares_are_named(folder):
    for name in ("b_retrieval", "later", ".git", "__pycache__"):
        (folder / name).mkdir()
    assert untested_cases() == ["later"]


def test_a_folder_may_be_named_from_the_working_directory(folder, monkeypatch):
    (folder / "b_retrieval").mkdir()
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("XVLM_EVAL_GOLDEN", folder.name)
    (param,) = golden_params("b_")
    monkeypatch.chdir(os.sep)
    assert param.values[0].path.is_dir()
    assert golden_kinds() == KINDS


def test_real_annotations_may_lie_beside_the_goldens(folder, monkeypatch):
    (folder / "golden").mkdir()
    monkeypatch.setenv("XVLM_EVAL_GOLDEN", str(folder / "golden"))
    assert real_data("none").parts[-3:] == ("shared", "data", "none")
    (folder / "data" / "nlvr2").mkdir(parents=True)
    assert real_data("nlvr2") == folder / "data" / "nlvr2"


def test_the_tests_of_every_kind_can_be_set_up_on_a_folder_that_has_it(folder):
    """Also of the kinds that no case beside the tests has: every fixture is found and in scope."""
    assert {"albef_grounding", "i_adapt", "b_retrieval"} <= set(KINDS)
    for kind in KINDS:
        (folder / kind).mkdir()
    (folder / "retrieval_eval" / "one.meta.json").touch()
    arguments = ["-p", "no:xdist", "-p", "no:anyio", "-o", "addopts=", "-q", "--setup-plan"]
    arguments += [f"--rootdir={TESTS.parent}", str(TESTS / "parity"), str(TESTS / "metrics")]
    code, planned = RunningPytest(arguments).finish()
    assert code == 0, planned[-3000:]
    for kind in KINDS:
        assert f"[{kind}" in planned or f"-{kind}]" in planned, kind
