"""The baseline of a result, or the reason why there is none."""

from dataclasses import replace

import pytest

from harness.drift.baselines import find_baseline
from harness.errors import DataError
from harness.files.paths import shipped_path
from harness.records.record import Subset
from harness.records.stored import StoredResults, find_results


@pytest.fixture(scope="module")
def result():
    results = find_results(shipped_path("results")).results
    return next(stored for stored in results if stored.title == "xvlm-shapes nlvr2 dev")


def as_baselines(result, *changes):
    records = [replace(result.record, **change) for change in changes]
    return StoredResults(tuple(replace(result, record=record) for record in records), ())


def test_a_whole_split_is_not_compared_with_one_of_several_parts(result):
    baselines = as_baselines(result, {"subset": Subset(10, 160)}, {"subset": Subset(20, 160)})
    reason = (
        "another part of the split: the whole split, "
        "the baselines 10 of 160 samples and 20 of 160 samples"
    )
    with pytest.raises(DataError, match=reason):
        find_baseline(result, baselines, checkpoint=None)


def test_two_names_that_differ_only_by_a_hyphen_are_not_chosen_between(result):
    baselines = as_baselines(
        result, {"checkpoint": {"name": "a-b"}}, {"checkpoint": {"name": "a_b"}}
    )
    with pytest.raises(DataError, match="several baselines have the name of this checkpoint: "):
        find_baseline(result, baselines, checkpoint="A B")


def test_the_same_part_is_the_baseline_whatever_lies_beside_it(result):
    baselines = as_baselines(result, {"subset": Subset(10, 160)}, {})
    assert find_baseline(result, baselines, checkpoint=None).record == result.record
