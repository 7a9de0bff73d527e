"""Checkpoints that are repositories of Hugging Face's hub: why one is not at hand."""

import pytest

from harness.checkpoints.hub import hub_snapshot
from harness.errors import MissingError


def test_a_download_that_fails_without_a_message_is_a_missing_file(monkeypatch):
    def time_out(*arguments, **options):
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.snapshot_download", time_out)
    with pytest.raises(MissingError, match=r"could not be downloaded \(no reason given\)"):
        hub_snapshot("openai/clip", download=True)


def test_a_cache_that_cannot_be_read_is_not_called_one_that_lacks_the_file(monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", "snapshots")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(MissingError, match=r"cannot be read from the hub's cache \(.*denied"):
        hub_snapshot("openai/clip", download=False)
