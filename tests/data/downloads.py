"""Downloads of a file from a server that does what a test says."""

import hashlib
import random

import pytest

from harness.data.fetch.download import BLOCK, RetryPolicy, download
from harness.errors import HarnessError

CONTENT = random.Random(0).randbytes(100_000)
NEW = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RETRY = RetryPolicy(timeout=20.0, attempts=3, pause=0.001)
CUT = 40_000  # bytes after which a connection breaks
KEPT = CUT // BLOCK * BLOCK  # of them, those in whole blocks


def get(site, folder, *, path="/file", size=None, sha256=None, retry=RETRY):
    reports = []
    download(
        f"{site.url}{path}",
        folder / "file",
        size=size,
        sha256=sha256,
        retry=retry,
        report=lambda done, total: reports.append((done, total)),
    )
    return reports


def interrupt(site, folder):
    """Leave the first bytes of the file and their note, as after a server that went away."""
    site.asked.clear()
    site.breaks = lambda request: CUT if request == 1 else 0
    with pytest.raises(HarnessError):
        get(site, folder)
    site.breaks = lambda request: None
    assert (folder / "file.partial").stat().st_size == KEPT
    site.asked.clear()


def only_the_right_file(folder, content=CONTENT):
    assert [path.name for path in folder.iterdir()] == ["file"]
    return (folder / "file").read_bytes() == content
