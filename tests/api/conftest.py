"""Models that several tests of the Python interface share."""

import pytest

from harness import load_model


@pytest.fixture(scope="session")
def grounder():
    return load_model("xvlm-shapes", task="refcoco+")
