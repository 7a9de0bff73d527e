"""Temporary folders that live as long as the results in them."""

import shutil
import tempfile
import weakref
from pathlib import Path


class TemporaryFolder:
    """A new folder, removed with this object, at the latest when Python ends.

    Unlike `tempfile.TemporaryDirectory`, it is removed silently: nobody has to close results.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="xvlm-eval-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
