"""Read files that may hold anything: every complaint names the file, the item in it and the key."""

import json
import pickle
import reprlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from harness.errors import DataError

T = TypeVar("T")

_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def read_text(path: Path) -> str:
    """Return the text of a file. Raises DataError where it is no file, cannot be read or is not UTF-8.

    A byte order mark, which editors on Windows put first, is no part of the text.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"{path}: is not a file" if path.exists() else f"{path}: no such file")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: is not UTF-8 text (byte {error.start}); is it the right file?"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds. Raises DataError where it is empty, not UTF-8 or not JSON."""
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path}: is empty; the download or copy broke off: get it again")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except (
        RecursionError,
        ValueError,
    ) as error:  # nested without end; a number of thousands of digits
        raise DataError(
            f"{path}: is not JSON that can be read ({reprlib.repr(str(error))})"
        ) from error


def read_yaml(path: Path) -> Any:
    """Return what a YAML file of plain types holds, None for an empty one. Raises DataError where it is none."""
    import yaml  # imported here: most commands read no YAML

    try:
        return yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:300]})"
        ) from error


def read_plain_pickle(path: Path) -> Any:
    """Return what a pickle of plain types holds: dictionaries, lists, tuples, strings, numbers, booleans and None.

    A pickle can name any function and have it called while it is read; this reader admits none, so that nothing can run. Raises DataError
    for a file that names one, and for one that is no pickle.
    """
    if not path.is_file():
        raise DataError(f"{path}: is not a file" if path.exists() else f"{path}: no such file")
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="utf-8").load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a broken pickle can raise almost anything
        raise DataError(
            f"{path}: is not a readable pickle ({type(error).__name__}: {reprlib.repr(str(error))})"
        ) from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise DataError(
            f"refers to {module}.{name}, which could run code; only plain types are read. Do not trust this file"
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise DataError(
            "refers to an object outside of itself; only plain types are read. Do not trust this file"
        )


class Item:
    """One object of a file, with its place in the file for messages."""

    def __init__(self, value: Any, where: str) -> None:
        """Raise DataError unless the value is an object (a dictionary)."""
        if not isinstance(value, dict):
            raise DataError(f"{where}: should be an object, but is {reprlib.repr(value)}")
        self.value: Mapping[str, Any] = value
        self.where = where

    def get(self, key: str, kind: type[T]) -> T:
        """Return the value of a key. Whole numbers (of 64 bits) pass for numbers; true, false, NaN and infinity do not."""
        if key not in self.value:
            raise DataError(f"{self.where}: has no {key!r}")
        value = self.value[key]
        if not _is(value, kind):
            raise DataError(
                f"{self.where}: {key!r} should be {_NAMES.get(kind, kind.__name__)}, but is {reprlib.repr(value)}"
            )
        return kind(value)  # type: ignore[call-arg]

    def optional(self, key: str, kind: type[T]) -> T | None:
        """Return the value of a key, None where it is absent or null."""
        return None if self.value.get(key) is None else self.get(key, kind)

    def item(self, key: str) -> "Item":
        """Return the object under a key."""
        return Item(self.get(key, dict), f"{self.where}: {key!r}")

    def items(self, key: str) -> Iterator["Item"]:
        """Yield the objects in the list under a key. Raises DataError for an empty list."""
        yield from items(self.get(key, list), f"{self.where}: {key!r}")

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """Return the list of `count` finite numbers under a key."""
        values = self.get(key, list)
        if len(values) != count or not all(map(is_number, values)):
            raise DataError(
                f"{self.where}: {key!r} should be {count} numbers, but is {reprlib.repr(values)}"
            )
        return tuple(values)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts under a key: a list of strings, or a single one."""
        return (self.get(key, str),) if isinstance(self.value.get(key), str) else self.words(key)

    def words(self, key: str, count: int | None = None) -> tuple[str, ...]:
        """Return the list of strings under a key; `count` of them, if that is given."""
        values = self.get(key, list)
        if count not in (None, len(values)) or not all(isinstance(value, str) for value in values):
            raise DataError(
                f"{self.where}: {key!r} should be {count or 'some'} strings, but is {reprlib.repr(values)}"
            )
        return tuple(values)

    def only(self, *keys: str) -> None:
        """Raise DataError where the object has keys beyond these."""
        if unknown := [key for key in self.value if key not in keys]:
            raise DataError(
                f"{self.where}: has {reprlib.repr(unknown[0])}, which does not belong there"
            )


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return is_number(value)
    if kind is int:
        return type(value) is int and -(2**63) <= value < 2**63
    return type(value) is kind


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number that a float can hold; true and false are none."""
    return type(value) in (int, float) and -sys.float_info.max <= value <= sys.float_info.max


def items(value: Any, where: str) -> Iterator[Item]:
    """Yield the objects of a list. Raises DataError where it is none or is empty."""
    if not isinstance(value, list):
        raise DataError(f"{where}: should be a list, but is {reprlib.repr(value)}")
    if not value:
        raise DataError(f"{where}: is an empty list")
    for number, item in enumerate(value):
        yield Item(item, f"{where}, item {number}")
