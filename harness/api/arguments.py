"""Check arguments of the user: numbers and names, before anything is computed or written."""

from harness.checkpoints.entries import names_results
from harness.errors import UsageError


def check_number(argument: str, value: object) -> None:
    """Raise UsageError unless a value is None or a whole number from 1 up."""
    if value is not None and (type(value) is not int or value < 1):
        raise UsageError(f"{argument} should be a whole number from 1 up, not {value!r:.80}")


def check_name(argument: str, value: object) -> None:
    """Raise UsageError unless a value is None or a name that results can be stored under."""
    if value is None:
        return
    name = value if isinstance(value, str) else ""
    if not names_results(name):
        raise UsageError(f"{argument}={value!r:.80}: should be a name like my-model, not a path")
    if len(name.encode("utf-8", "replace")) > 100:
        raise UsageError(f"{argument}={name[:40]!r}...: should have at most 100 bytes")


def check_choice(argument: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise UsageError unless a value is one of the choices."""
    if value not in choices:
        raise UsageError(f"{argument} should be one of {', '.join(choices)}, not {value!r:.80}")
