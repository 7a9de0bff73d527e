"""Baselines of some results."""

import pytest

from tests.support.altered import copied


@pytest.fixture
def only(baseline, tmp_path):
    """The baseline of some results alone, so that no other one is missing."""
    return lambda *stems: copied(baseline, tmp_path / "only", *stems)
