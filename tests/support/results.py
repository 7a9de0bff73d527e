"""Runs of the embedded model that tests of the gate share: never change them, copy them."""

import pytest

from harness.cli.main import main


@pytest.fixture(scope="session")
def baseline(tmp_path_factory):
    """Results of RefCOCO+ testB, NLVR2 dev and test, and VQA test-dev."""
    out = tmp_path_factory.mktemp("baseline")
    for task, split in (("refcoco+", "testB"), ("nlvr2", "dev,test"), ("vqav2", "test-dev")):
        assert (
            main(["run", "--task", task, "--split", split, "--batch-size", "32", "--out", str(out)])
            == 0
        )
    return out
