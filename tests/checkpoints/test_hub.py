"""Checkpoints that are repositories of Hugging Face's hub: why one is not at hand."""

from fnmatch import fnmatch

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


FILES = {  # of released repositories, on their main branch
    "both": ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"],
    "pickled": ["config.json", "vocab.txt", "pytorch_model.bin", "tf_model.h5"],
    "in shards": [
        "config.json", "pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_pickled_weights_are_downloaded_where_there_are_no_others(name, tmp_path, monkeypatch):
    """Those of Salesforce/blip-itm-base-coco, for example."""

    def download(repository, *, revision, allow_patterns, **options):
        folder = tmp_path / "snapshots" / (revision or "c0ffee")
        folder.mkdir(parents=True, exist_ok=True)
        for file in FILES[name]:
            if any(fnmatch(file, pattern) for pattern in allow_patterns):
                (folder / file).touch()
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    folder = hub_snapshot("somebodys/model", download=True)
    wanted = {*FILES[name]} - {"tf_model.h5"}
    if name == "both":
        wanted.remove("pytorch_model.bin")
    assert folder.name == "c0ffee" and {path.name for path in folder.iterdir()} == wanted
