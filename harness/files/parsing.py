"""Read files that may hold anything: a DataError names the file, the item in it and the key.

`decode_json`, `decode_json_list`, `decode_yaml` and `convert` check content against a type, mostly
a msgspec Struct; `read_text`, `read_json`, `read_yaml` and `read_plain_pickle` return it unchecked.
"""

import json
import pickle
import re
import reprlib
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from msgspec import Meta

from harness.errors import DataError
from harness.files import kinds
from harness.files.double_keys import refuse_double_keys, refuse_double_yaml_keys
from harness.files.validation_errors import describe, describe_non_json

T = TypeVar("T")

# Numbers of 64 bits. Neither accepts a boolean; a `Finite` may be written without a fraction.
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
# Half a surrogate pair in bytes and escaped: two patterns, each with a literal prefix, are searched
# ten times as fast as one with a choice.
SURROGATES = (re.compile(rb"\xed[\xa0-\xbf]"), re.compile(rb"\\u[dD][89a-fA-F]"))
# Characters: a quarter second of a processor. The largest files of benchmarks have ten times as
# many, and reading them is much of a run's start.
MAX_SEARCHED = 2**24
NonEmptyList = Annotated[list[T], Meta(min_length=1)]


def decode_json(path: Path, kind: type[T]) -> T:
    """Return the content of a JSON file as a `kind`: a msgspec Struct, or types built from Structs.

    Raises DataError naming the file, the item in it, the key, and the expected and actual value.
    Keys unknown to a Struct are skipped unless it forbids them. A key that an object has twice is
    refused in files of up to MAX_SEARCHED characters; of larger ones, the last value is kept.
    """
    text = _not_empty(read_text(path), path)
    value = _decode(text, kind, str(path))
    if len(text) <= MAX_SEARCHED:
        refuse_double_keys(text, str(path))
    return value


def decode_json_list(path: Path, kind: type[T]) -> list[T]:
    """Return the content of a JSON file as a non-empty list of `kind`. Raises as `decode_json`."""
    entries: list[T] = decode_json(path, NonEmptyList[kind])  # type: ignore[valid-type]
    return entries


def decode_json_text(text: str, kind: type[T], *, where: str) -> T:
    """Return JSON of any length as a `kind`, without double keys.

    Raises as `decode_json`; `where` names the file and the line.
    """
    value = _decode(text, kind, where)
    refuse_double_keys(text, where)
    return value


def _decode(text: str, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        content = _loads(text, where)  # refuses what is not JSON at all, and says why
        if isinstance(error, msgspec.ValidationError):
            raise DataError(describe(error, content, kind, where)) from error
        raise DataError(
            describe_non_json(content, where) or f"{where}: is not JSON: {error}"
        ) from error


def decode_yaml(path: Path, kind: type[T]) -> T:
    """Return the content of a YAML file as a `kind`. Raises as `decode_json`."""
    return convert(read_yaml(path), kind, where=str(path))


def convert(value: Any, kind: type[T], *, where: str) -> T:
    """Return parsed data as a `kind`. Raises as `decode_json`; `where` names the file."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise DataError(describe(error, value, kind, where)) from error


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, which may be blank. Raises as `harness.files.kinds`."""
    return kinds.read_text(path, empty=True)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises DataError if it is empty, not UTF-8, not JSON, or has a key twice in an object.
    """
    text = _not_empty(read_text(path), path)
    content = _loads(text, str(path))
    refuse_double_keys(text, str(path))
    return content


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file of plain types, None if it is empty.

    Raises DataError for a file that cannot be read, is not YAML, needs other types, or has a key
    twice in a mapping.
    """
    import yaml  # imported here: most commands read no YAML

    # In C where PyYAML has it: ten times as fast, with the same types.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # untyped
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            refuse_double_yaml_keys(node, str(path))
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(read_text(path), Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:300]})"
        ) from error


def yaml_line(path: Path, keys: Sequence[str]) -> int:
    """Return the line, from 1, of a key in nested mappings of a YAML file.

    Where keys are not written there, such as those of a merge, the line of the last one that is.
    """
    import yaml

    node, line = yaml.compose(read_text(path), yaml.SafeLoader), 1
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((name, value) for name, value in pairs if name.value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def read_plain_pickle(path: Path) -> Any:
    """Return the content of a pickle of dictionaries, lists, tuples, strings, numbers and None.

    Unpickling calls any function that a pickle names; this reader refuses all of them, so nothing
    can run. Raises DataError for such a file, and for a file that is not a pickle.
    """
    content = kinds.read_bytes(path, kinds.PICKLE.name)
    try:
        value = _PlainUnpickler(BytesIO(content), encoding="utf-8").load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can raise almost anything
        raise DataError(
            f"{path}: is not a readable pickle ({type(error).__name__}: {reprlib.repr(str(error))})"
        ) from error
    # Half a surrogate pair, as the pickle protocols write one. Most files are spared the search.
    if may_hold_surrogates(content) and (problem := describe_non_json(value, str(path))):
        raise DataError(problem)
    return value


def may_hold_surrogates(content: bytes) -> bool:
    """Return whether UTF-8 or JSON may hold half a surrogate pair; whole pairs look alike."""
    return any(pattern.search(content) for pattern in SURROGATES)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number that a float can hold, and no boolean."""
    return type(value) in (int, float) and -sys.float_info.max <= value <= sys.float_info.max


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise DataError(
            f"refers to {module}.{name}, which could run code; only plain types are read. "
            "Do not trust this file"
        )

    def persistent_load(self, pid: Any) -> NoReturn:
        raise DataError(
            "refers to an object outside the file; only plain types are read. "
            "Do not trust this file"
        )


def _not_empty(text: str, path: Path) -> str:
    if not text.strip():
        raise DataError(f"{path}: is empty; the download or copy broke off: get it again")
    return text


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text else ""
        raise DataError(
            f"{where}: is not JSON: {error.msg} ({line}column {error.colno})"
        ) from error
    except (RecursionError, ValueError) as error:  # endless nesting; a number of 5,000 digits
        raise DataError(
            f"{where}: is not JSON that can be read ({reprlib.repr(str(error))})"
        ) from error
