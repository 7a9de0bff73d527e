"""Files that a verb writes: whole or not at all, with a message that names the flag to change."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writing(path: Path, *, flag: str = "--out") -> Iterator[Path]:
    """Yield a temporary path that replaces `path` on success; creates the parent folder.

    Raises HarnessError, naming the `flag` that chooses another path, where the file cannot be
    written.
    """
    from harness.errors import HarnessError
    from harness.files.atomic import replacing

    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); choose another {flag}"
        ) from error
