"""Report the files in folders of results that are left out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.cli.console import say

if TYPE_CHECKING:
    from harness.records.stored import StoredResults


def say_left_out(found: Iterable["StoredResults"]) -> int:
    """Print why each file is left out; return the exit code of the verb: 3 if one is damaged."""
    from harness.errors import DataError

    parts = list(found)
    for reason in dict.fromkeys(reason for part in parts for reason in part.rejected):
        say(f"left out: {reason}")
    return DataError.exit_code if any(part.damaged for part in parts) else 0
