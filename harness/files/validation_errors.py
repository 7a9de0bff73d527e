"""Describe what msgspec refuses in the words of this project: the place, the expected, the actual.

msgspec says ``Expected `int`, got `str` - at `$.questions[17].image_id` ``. It names no file, shows
no value, and writes `[...]` for any key of a mapping. `describe` turns this into
`FILE: questions[17].image_id should be a whole number, but is '3'`.
"""

import json
import math
import re
import reprlib
from collections.abc import Callable
from typing import Any

import msgspec

Step = str | int | None  # a key, an index, or None for the key that msgspec leaves out
KeyPath = tuple[Step, ...]

DEEPEST = 500  # levels of nested values that are searched

_MESSAGE = re.compile(r"(?P<problem>.*?)(?: - at (?P<key>`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_MISMATCH = re.compile(r"Expected (?P<expected>`.*?`(?: [<>]=? \S+)?)(?:, got `.*`)?")
_LENGTH = re.compile(r"Expected `(?:array|object)` of length (?P<relation>>= |<= )?(?P<length>\d+)")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_NAMES = {
    "object": "an object",
    "array": "a list",
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
_CONSTANTS = (("null", None), ("true", True), ("false", False))
_BOUNDS = {  # `Int64` and `Finite` of `parsing`, whose bounds tell a reader nothing
    "`int` >= -9223372036854775808": "a whole number of 64 bits",
    "`int` <= 9223372036854775807": "a whole number of 64 bits",
    "`float` >= -1.7976931348623157e+308": "a finite number",
    "`float` <= 1.7976931348623157e+308": "a finite number",
}


def describe(error: msgspec.ValidationError, content: Any, kind: Any, where: str) -> str:
    """Return one sentence on why `content` is no `kind`; `where` names the file (and the line)."""
    message = _MESSAGE.fullmatch(str(error))
    assert message is not None  # the pattern matches any text
    path: KeyPath = tuple(
        step["key"] or (int(step["index"]) if step["index"] else None)
        for step in _STEP.finditer(message["path"] or "")
    )

    def fails(content: Any) -> bool:
        try:
            msgspec.convert(content, kind)
        except msgspec.ValidationError as other:
            return str(other) == str(error)
        return False

    try:
        path = _with_keys(path, content, fails)
        return f"{location(path, where)}{_problem(message, _value_at(path, content))}"
    except (LookupError, TypeError):  # JSON has a key twice: the value msgspec refused is not kept
        return f"{where}: {error}"


def describe_non_json(content: Any, where: str) -> str | None:
    """Return one sentence on the first value that Python's JSON parser reads and JSON lacks.

    These are NaN, infinity and strings with half a surrogate pair; or on a value that lies deeper
    than any file needs. None if there is no such value.
    """
    stack: list[tuple[KeyPath, Any]] = [((), content)]
    seen: set[int] = set()  # containers: those of a pickle can hold one another
    while stack:
        path, value = stack.pop()
        if len(path) > DEEPEST:
            return f"{where}: is nested more than {DEEPEST} levels deep"
        if isinstance(value, dict | list | tuple):
            if id(value) in seen:
                continue
            seen.add(id(value))
        if isinstance(value, float) and not math.isfinite(value):
            return f"{location(path, where)}should be a finite number, but is {json.dumps(value)}"
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            return f"{location(path, where)}should be Unicode text, but is {show(value)}"
        items: Any = value.items() if isinstance(value, dict) else ()
        items = enumerate(value) if isinstance(value, list | tuple) else items
        stack += reversed([((*path, key), inner) for key, inner in items])
    return None


def show(value: Any) -> str:
    """Return a value in JSON's words, shortened."""
    names = [name for name, known in _CONSTANTS if value is known]
    return names[0] if names else reprlib.repr(value)


def _with_keys(path: KeyPath, content: Any, fails: Callable[[Any], bool]) -> KeyPath:
    """Return the path with the omitted keys: the first of each mapping that fails on its own."""
    while None in path:
        step = path.index(None)
        mapping = _value_at(path[:step], content)
        keys = mapping if isinstance(mapping, dict) else ()
        key = next(
            (key for key in keys if fails(_replaced(content, path[:step], {key: mapping[key]}))),
            None,
        )
        if key is None:
            return path[:step]
        content = _replaced(content, path[:step], {key: mapping[key]})
        path = (*path[:step], key, *path[step + 1 :])
    return path


def _replaced(content: Any, path: KeyPath, value: Any) -> Any:
    """Return shallow copies of nested content, with another value at `path`."""
    if not path:
        return value
    step, *rest = path
    items: Any = dict(content) if isinstance(content, dict) else list(content)
    items[step] = _replaced(items[step], tuple(rest), value)
    return items


def _value_at(path: KeyPath, content: Any) -> Any:
    for step in path:
        content = content[step]
    return content


def location(path: KeyPath, where: str) -> str:
    """Return `where: questions[17].image_id `, `where, item 17: image_id ` or `where: `."""
    if path and isinstance(path[0], int):
        where, path = f"{where}, item {path[0]}", path[1:]
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    name = "".join(steps).removeprefix(".")
    return f"{where}: {name} " if name else f"{where}: "


def _problem(message: re.Match[str], value: Any) -> str:
    problem = message["problem"]
    if message["key"]:
        unfit = next((key for key in value if not isinstance(key, str)), None)
        return f"has the key {show(unfit)}, which should be a string"
    if match := _MISSING.fullmatch(problem):
        return f"has no {match['name']!r}"
    if match := _UNKNOWN.fullmatch(problem):
        return f"has the unknown key {reprlib.repr(match['name'])}"
    if match := _LENGTH.match(problem):
        if not value:
            return "is an empty list" if value == [] else "is empty"
        relation = {">= ": "at least ", "<= ": "at most "}.get(match["relation"] or "", "")
        return f"should have {relation}{match['length']} items, but is {show(value)}"
    if match := _MISMATCH.fullmatch(problem):
        return f"should be {_expected(match['expected'])}, but is {show(value)}"
    if problem == "Number out of range":
        return f"should be a finite number, but is {show(value)}"
    if problem.startswith("Invalid enum value"):
        return f"is {show(value)}, which is none of the values that it may have"
    return f"{problem}: {show(value)}"  # words that msgspec has for cases not met here


def _expected(types: str) -> str:
    """Return the words for `str | array | null` in backticks."""
    if types in _BOUNDS:
        return _BOUNDS[types]
    names, _, bound = types[1:].partition("`")
    words = [_NAMES.get(name, name) for name in names.split(" | ")]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) + bound
