"""Check arguments of the user, before anything is computed or written."""

from collections.abc import Iterable, Mapping
from numbers import Real

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


def list_texts(texts: object) -> list[str]:
    """Return a text, or several, as a list. Raises UsageError for none, and for anything else."""
    given = [texts] if isinstance(texts, str) or not isinstance(texts, Iterable) else list(texts)
    listed = [text for text in given if isinstance(text, str)]
    if not listed or len(listed) < len(given):
        raise UsageError(
            f"texts should be a text or a list of at least one text, not {texts!r:.80}"
        )
    return listed


def settings_of(arguments: object) -> Mapping[str, str]:
    """Return settings of a model family as texts, as `--model-args` has them.

    Raises UsageError for anything but a mapping from names to texts and numbers.

    >>> settings_of({"beams": 1, "prompt": "a photo of"})
    {'beams': '1', 'prompt': 'a photo of'}
    """
    settings = arguments if isinstance(arguments, Mapping) else {"": arguments}
    for name, value in settings.items():
        simple = isinstance(value, str | Real) and not isinstance(value, bool)  # of NumPy too
        if not (name and isinstance(name, str) and simple):
            raise UsageError(
                'arguments should be settings with a text or a number each, as {"beams": 1}, not '
                f"{arguments!r:.80}"
            )
    return {name: str(value) for name, value in settings.items()}
