"""How long a run took: one entry for each sitting, in a file beside the record.

A run that was interrupted and resumed has several sittings. Nothing in the record depends on them.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.files.parsing import read_json
from harness.records.record import write_result

SUFFIX = ".timings.json"


class Stopwatch:
    """Measures stages that follow one another; `seconds` has those that have ended, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def end(self, stage: str) -> None:
        """End a stage; the next one begins."""
        now = time.monotonic()
        self.seconds[stage] = round(now - self._since, 3)
        self._since = now


def add_sitting(path: Path, sitting: Mapping[str, Any], *, first: bool) -> None:
    """Append a sitting to those of the same run; the `first` one replaces an earlier run's."""
    try:
        earlier = [] if first or not path.exists() else list(read_json(path)["sittings"])
    except (DataError, KeyError, TypeError):
        earlier = []
    write_result(path, {"sittings": [*earlier, sitting]})
