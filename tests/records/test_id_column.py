"""Ids in rows: found, and listed in their order, whatever kind they are."""

import pickle

import pytest

from harness.records.id_column import ABSENT, IdColumn


@pytest.mark.parametrize(
    "ids",
    [
        [3, 5, 8, 13],
        [13, 3, 8, 5],
        ["b", "a", "12"],
        [12, "12"],
        [2**63, 1],
        [-(2**63), 2**63 - 1, 0],
        [],
    ],
)
def test_every_id_is_found_in_its_row_and_no_other_one(ids):
    for column in (IdColumn(ids), pickle.loads(pickle.dumps(IdColumn(ids)))):
        assert list(column) == ids and len(column) == len(ids)
        assert column.rows(ids).tolist() == list(range(len(ids)))
        others = [4, "4", 2**70, "", -1]
        assert column.rows(others).tolist() == [ABSENT] * 5
        assert column.rows([*others, *ids]).tolist() == [ABSENT] * 5 + list(range(len(ids)))
        assert not any(id in column for id in others)
        assert all(id in column for id in ids)
        assert column == set(ids)


def test_a_boolean_is_no_whole_number():
    assert True not in IdColumn([0, 1]) and 1 in IdColumn([0, 1])
    assert IdColumn([5, 1, 3]).rows([True, 1]).tolist() == [ABSENT, 1]


@pytest.mark.parametrize("ids", [[1, 2, 1], [7, 7], ["a", "a"], [2**64, 2**64]])
def test_an_id_that_occurs_twice_is_refused(ids):
    with pytest.raises(ValueError, match="twice"):
        IdColumn(ids)
