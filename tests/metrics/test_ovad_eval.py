"""OVAD's mean average precision, against the official evaluator."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.metrics.attributes import average_precisions, chance_of_groups, chances, map_of_groups

KIND = "ovad_eval"


def read(case):
    """Scores, labels, attributes and what is expected of every case in the folder."""
    folders = sorted(path for path in case.path.iterdir() if path.is_dir())
    assert folders
    for folder in folders:
        attributes = [
            SimpleNamespace(**attribute)
            for attribute in case.json(f"{folder.name}/attributes.json")
        ]
        yield (
            np.load(folder / "pred.npy"),
            np.load(folder / "gt.npy"),
            attributes,
            case.json(f"{folder.name}/expected.json"),
        )


def test_every_attribute_has_the_official_average_precision_and_chance(case):
    for scores, labels, _, expected in read(case):
        precisions, chance = average_precisions(scores, labels), chances(labels)
        for number, attribute in enumerate(expected["per_attribute"]):
            if attribute["ap"] is None:
                assert np.isnan(precisions[number]), (expected["case"], attribute["name"])
            else:
                assert precisions[number] == pytest.approx(attribute["ap"], abs=1e-9), (
                    expected["case"],
                    attribute["name"],
                )
            assert chance[number] == pytest.approx(attribute["chance"], abs=1e-9)


def named(values, prefix):
    """The official groups by our names, without those that are undefined."""
    return {
        prefix if group == "all" else f"{prefix}_{group}": value
        for group, value in values.items()
        if value is not None
    }


def test_means_over_groups_are_the_official_ones(case):
    for scores, labels, attributes, expected in read(case):
        means = map_of_groups(average_precisions(scores, labels), attributes)
        assert means == pytest.approx(named(expected["map_percent"], "map"), abs=1e-7), expected[
            "case"
        ]
        means = chance_of_groups(chances(labels), attributes)
        assert means == pytest.approx(named(expected["chance_percent"], "chance"), abs=1e-7), (
            expected["case"]
        )
