"""NLVR2 accuracy and consistency, against the official script on its own annotations."""

import csv
import json

import pytest

from harness.metrics.nlvr2 import accuracy, consistency, group_of, image_set_of
from tests.support.real_files import REAL

KIND = "nlvr2_eval"


def annotations(split):
    path = REAL / f"{split}.json"
    if not path.is_file():
        pytest.skip(f"the annotations of lil-lab/nlvr are not here ({split}.json)")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("split", ["dev", "test1"])
def test_accuracy_and_consistency_are_the_official_ones(case, split):
    predictions = case.path_of(f"{split}_predictions.csv")
    examples, expected = annotations(split), case.json("expected.json")[predictions.name]
    with predictions.open(newline="") as file:
        predicted = {row[0]: row[1] for row in csv.reader(file)}
    right = [
        predicted[example["identifier"]].lower() == example["label"].lower() for example in examples
    ]
    groups = [group_of(example["identifier"]) for example in examples]
    assert (len(right), sum(right), len(set(groups))) == (
        expected["n_examples"],
        expected["n_correct"],
        expected["n_groups"],
    )
    assert accuracy(right) == pytest.approx(100 * expected["accuracy"], abs=1e-9)
    assert consistency(right, groups) == pytest.approx(100 * expected["consistency"], abs=1e-9)


def test_a_group_is_consistent_when_every_statement_in_it_is_right():
    assert consistency([True, True, False, True], ["a", "a", "b", "b"]) == 50.0
    assert accuracy([True, True, False, True]) == 75.0


def test_groups_are_told_by_set_and_sentence_and_not_by_pair():
    assert group_of("dev-850-0-3") == group_of("dev-850-2-3") == "dev-850--3"
    assert group_of("dev-850-0-3") != group_of("dev-850-0-1")


@pytest.mark.parametrize(("split", "sets"), [("dev", 1_054), ("test1", 1_052)])
def test_most_sets_of_images_have_two_sentences(split, sets):
    identifiers = [example["identifier"] for example in annotations(split)]
    assert len(set(map(image_set_of, identifiers))) == sets
    # A group lies within one set.
    assert len({(group_of(id), image_set_of(id)) for id in identifiers}) == len(
        set(map(group_of, identifiers))
    )


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match="no statement"):
        accuracy([])
