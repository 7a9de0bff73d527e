"""ALBEF's attribute scores of crops: X-VLM's tests, against the benchmark's script for ALBEF."""

import pytest

from harness.models.albef.adapters import AlbefAttributeMatcher
from harness.models.albef.networks import official_names
from harness.models.vit.checkpoint import read_checkpoint
from tests.parity.test_attributes import (  # noqa: F401
    crops,
    test_crops_are_prepared_as_officially,
    test_features_are_the_official_ones,
    test_nested_sentences_are_averaged_and_not_normalised_again,
    test_scores_are_the_official_ones,
)
from tests.support.golden import device_under_test
from tests.support.text_rules import rule_of

KIND = "albef_ovad"


@pytest.fixture(scope="module")
def matcher(case):
    checkpoint = read_checkpoint(
        case.path / "checkpoint.th", case.path / "config.json", rename=official_names
    )
    matcher = AlbefAttributeMatcher(checkpoint, case.path / "vocab.txt", device_under_test())
    matcher.rule = rule_of(case, matcher.rule)
    return matcher
