"""Repositories of Hugging Face's hub, in the cache of its tools."""

import re
from functools import partial
from pathlib import Path

from harness.errors import MissingError, first_line
from harness.files.paths import hub_cache_folder

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # of a repository
PICKLES = ["pytorch_model*.bin"]  # only of a repository that has no others


def hub_snapshot(name: str, *, download: bool, revision: str | None = None) -> Path:
    """Return the folder of a hub's repository in the cache of Hugging Face's tools.

    Raises MissingError if it is not there and `download` is false, or it cannot be downloaded. The
    message begins with the name; the caller says which flag or entry it comes from.
    """
    # Imported here: weights that lie in a file need no hub.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    get = partial(
        snapshot_download, name, local_files_only=not download, cache_dir=hub_cache_folder()
    )
    try:
        folder = Path(get(revision=revision, allow_patterns=HUB_FILES))
        if download and not any(folder.rglob("*.safetensors")):
            # The folder's name is the commit: the repository may have changed since.
            get(revision=folder.name, allow_patterns=PICKLES)
        return folder
    except Exception as error:  # the hub's client raises dozens of kinds
        if download:
            remedy = f"could not be downloaded ({first_line(error)})"
        elif isinstance(error, LocalEntryNotFoundError):
            remedy = "is not in the hub's cache; --download gets it"
        else:
            remedy = f"cannot be read from the hub's cache ({first_line(error)})"
        raise MissingError(f"{name}: as a repository of Hugging Face's hub {remedy}") from error
