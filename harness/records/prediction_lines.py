"""The lines of a prediction file: its head, then one sample each, as JSON."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.errors import DataError, ModelError
from harness.files.double_keys import refuse_double_keys
from harness.files.parsing import convert
from harness.records.fingerprints import canonical

FORMAT = "xvlm-eval predictions 1"
HEAD = b'{"format":"xvlm-eval predictions'  # the first bytes of such a file, of any version
ANY_HEAD = re.compile(rb'\s*\{\s*"format"\s*:\s*"xvlm-eval predictions')  # written by others too

KEYS = (b'"id"', b'"prediction"', b'"inputs"')  # of the lines of samples


def to_line(value: Any) -> str:
    """Return a value as a line of JSON. Raises ValueError for NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def sample_line(path: Path, id: Any, prediction: Any, inputs: str | None = None) -> str:
    """Return the line of a sample, with the fingerprint of its inputs if it is known.

    Raises ModelError for a number that is not finite, and for a value that JSON lacks.
    """
    line = {"id": id, "prediction": prediction}
    try:
        return to_line(line if inputs is None else {**line, "inputs": inputs})
    except ValueError as error:
        raise ModelError(
            f"{path}: the prediction of sample {id!r} holds a number that is not finite; "
            "is --dtype precise enough for this model?"
        ) from error
    except TypeError as error:
        raise ModelError(
            f"{path}: the prediction of sample {id!r} cannot be stored ({error}): it has to "
            "consist of Python's own numbers, strings, lists and dictionaries"
        ) from error


class WholeLines(NamedTuple):
    """The lines that end in a line break, and the offset at which the last of them ends."""

    lines: list[bytes]
    end: int


def whole_lines(content: bytes, path: Path) -> WholeLines:
    """Return the whole lines of a file: a kill may have torn the last one.

    Raises DataError for a file that does not begin like a prediction file, and for a line with a
    key twice, of which a reader would keep either value.
    """
    end = content.rfind(b"\n") + 1
    if not end and not content.startswith(HEAD[: len(content)]):
        raise DataError(f"{path}: is no prediction file; move it away, or replace it with --fresh")
    whole = WholeLines(content[:end].split(b"\n")[:-1], end)
    _refuse_double_keys(content, whole, path)
    return whole


def _refuse_double_keys(content: bytes, whole: WholeLines, path: Path) -> None:
    """Raise DataError for a line with a key twice.

    Lines of samples are parsed for it only where there are more keys than lines.
    """
    lines, end = whole
    samples = max(len(lines) - 1, 0)
    begin = len(lines[0]) if lines else 0
    doubtful = any(content.count(key, begin, end) > samples for key in KEYS)
    for number, line in enumerate(lines if doubtful else lines[:1], start=1):
        refuse_double_keys(line.decode("utf-8", "replace"), f"{path}, line {number}")


class _Head(msgspec.Struct):
    """The first line of a prediction file."""

    format: str
    identity: dict[str, Any]
    software: dict[str, Any]
    inputs: dict[str, Any] = {}


def parse_head(line: bytes, path: Path) -> dict[str, Any]:
    """Return the first line of a file. Raises DataError, naming the key, for any other line."""
    try:
        head = json.loads(line)
        if convert(head, _Head, where="head").format != FORMAT:
            raise DataError(f"head: is of the format {head['format']!r}")
    except (ValueError, RecursionError, DataError) as error:
        raise DataError(
            f"{path}: line 1 is not the head of a prediction file ({error}); "
            "move the file away or replace it with --fresh"
        ) from error
    return dict(head)


class ParsedLines(NamedTuple):
    """The predictions of a file by sample id, and the fingerprints of their inputs."""

    predictions: dict[Any, Any]
    fingerprints: dict[Any, str]


def parse_predictions(lines: Sequence[bytes], path: Path) -> ParsedLines:
    """Return what all lines after the head hold.

    Raises DataError, naming the line, for anything but a prediction, and for NaN and infinity.
    """
    predictions: dict[Any, Any] = {}
    fingerprints: dict[Any, str] = {}
    texts: dict[str, str] = {}  # equal answers share one object
    for number, line in enumerate(lines, start=2):
        try:
            entry = _decode(line)
            id, prediction = entry["id"], entry["prediction"]
            if (inputs := entry.get("inputs")) is not None:
                fingerprints[id] = canonical(inputs)
            if type(id) not in (int, str) or id in predictions:
                raise ValueError("no id, or a repeated one")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path}: line {number} is no prediction; "
                "the file was damaged: replace it with --fresh"
            ) from error
        if type(prediction) is str:
            prediction = texts.setdefault(prediction, prediction)
        predictions[id] = prediction
    return ParsedLines(predictions, fingerprints)


def _decode(line: bytes) -> Any:
    """Return the value of a line: by msgspec, which is twice as fast, where it takes the line.

    Both decode it to the same value; `json` also takes a byte order mark and half a surrogate pair.
    """
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return json.loads(line, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
