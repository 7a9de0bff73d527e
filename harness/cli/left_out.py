"""Report the files in folders of results that are left out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.cli.console import say

if TYPE_CHECKING:
    from harness.records.stored import StoredResults


def say_left_out(found: Iterable["StoredResults"]) -> int:
    """Print what is left out, and why; return the exit code: 3 if a file is damaged."""
    from harness.errors import DataError

    parts = list(found)
    for reason in dict.fromkeys(reason for part in parts for reason in part.left_out):
        say(f"left out: {reason}")
    return DataError.exit_code if any(part.damaged for part in parts) else 0
