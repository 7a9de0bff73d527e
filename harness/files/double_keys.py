"""Refuse a key that an object of a JSON or YAML file has twice: a reader would keep either value.

Python's parser and msgspec keep the last value without a word.
"""

import json
from typing import Any

from harness.errors import DataError
from harness.files.validation_errors import KeyPath, location, show


def refuse_double_keys(text: str, where: str) -> None:
    """Raise DataError, naming the object, if one of a JSON text has a key twice.

    It takes 10 to 20 ms of a processor per megabyte, about as long as msgspec takes to read it.
    Whether the text is JSON is left to its reader.
    """
    try:
        json.loads(text, object_pairs_hook=_note)
    except _DoubleKeyError as error:
        path = _first(json.loads(text, object_pairs_hook=_Pairs))
        raise DataError(
            f"{location(path, where)}has the key {show(error.key)} twice; keep one of them"
        ) from None
    except (ValueError, RecursionError):
        return


def refuse_double_yaml_keys(node: Any, where: str) -> None:
    """Raise DataError, naming the line, for a mapping of YAML with a key twice; merges aside."""
    keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key.value, str)]
    if twice := next((key for key in keys if keys.count(key) > 1 and key[1] != "<<"), None):
        line = node.start_mark.line + 1
        raise DataError(
            f"{where}: the mapping that begins in line {line} has the key {show(twice[1])} twice; "
            "keep one of them"
        )


class _DoubleKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of an object."""


def _note(pairs: list[tuple[str, Any]]) -> None:
    """Raise _DoubleKeyError for the pairs of an object with a key twice."""
    if len(dict(pairs)) < len(pairs):
        raise _DoubleKeyError(_twice(pairs))


def _twice(pairs: list[tuple[str, Any]]) -> str:
    keys = [key for key, _ in pairs]
    return next((key for key in keys if keys.count(key) > 1), "")


def _first(content: Any) -> KeyPath:
    """Return the path of the object that Python's parser finishes first among those refused."""
    stack: list[tuple[KeyPath, Any, bool]] = [((), content, False)]
    while stack:
        path, value, visited = stack.pop()
        if not isinstance(value, list):
            continue
        if visited and isinstance(value, _Pairs) and _twice(value):
            return path
        if not visited:  # its own members first
            items = value if isinstance(value, _Pairs) else enumerate(value)
            inner: list[tuple[KeyPath, Any, bool]] = [
                ((*path, key), item, False) for key, item in items
            ]
            stack += [(path, value, True), *reversed(inner)]
    return ()
