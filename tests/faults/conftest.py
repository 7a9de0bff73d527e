"""A small benchmark and checkpoint, of which each test breaks one thing."""

import pytest

from tests.support import refcoco_files
from tests.support.models_on_disk import write_checkpoint


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A valid data folder, checkpoint and output folder, of which each test breaks one thing."""
    monkeypatch.chdir(tmp_path)
    refcoco_files.write(tmp_path / "data")
    write_checkpoint(tmp_path / "weights" / "tiny.th")
    return tmp_path
