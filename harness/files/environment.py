"""Settings of the environment: how something is computed, not what."""

import os

from harness.errors import UsageError


def choice(name: str, *choices: str) -> str:
    """Return the choice of an environment variable; the first one where it is unset or empty.

    Raises UsageError for another value.
    """
    setting = os.environ.get(name) or choices[0]
    if setting not in choices:
        raise UsageError(f"{name}={setting}: expected {', '.join(choices[:-1])} or {choices[-1]}")
    return setting


def is_on(name: str) -> bool:
    """Return whether an environment variable is `1`; `0` is the default.

    Raises UsageError for another value.
    """
    return choice(name, "0", "1") == "1"


def whole_number(name: str, *, least: int = 1) -> int | None:
    """Return a whole number that an environment variable holds; None where it is unset or empty.

    Raises UsageError for another value, and for a number below `least`.
    """
    setting = os.environ.get(name)
    if not setting:
        return None
    if not setting.isascii() or not setting.isdecimal() or int(setting) < least:
        raise UsageError(f"{name}={setting}: expected a whole number, {least} or more; or unset it")
    return int(setting)
