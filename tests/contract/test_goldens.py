"""Golden folders that others made: what a case may hold, and what it may lack."""

import re

import numpy as np
import pytest

from tests.support.forked import RunningPytest
from tests.support.golden import TESTS, Case, golden_params
from tests.support.shortlists import cut_within_ties

KINDS = sorted(
    {
        kind
        for folder in ("parity", "metrics")
        for module in (TESTS / folder).glob("test_*.py")
        for kind in re.findall(r'^(?:KIND = |@on\()"(.*?)"', module.read_text(), re.M)
    }
)


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


def test_the_tests_of_every_kind_can_be_set_up_on_a_folder_that_has_it(folder):
    """Also of the kinds that no case beside the tests has: every fixture is found and in scope."""
    assert {"albef_grounding", "i_adapt", "b_retrieval"} <= set(KINDS)
    for kind in KINDS:
        (folder / kind).mkdir()
    (folder / "retrieval_eval" / "one.meta.json").touch()
    arguments = ["-p", "no:xdist", "-q", "--setup-plan", f"--rootdir={TESTS.parent}"]
    arguments += ["-o", "addopts=", str(TESTS / "parity"), str(TESTS / "metrics")]
    code, planned = RunningPytest(arguments).finish()
    assert code == 0, planned[-3000:]
    for kind in KINDS:
        assert f"[{kind}" in planned or f"-{kind}]" in planned, kind
