"""The lines of a prediction file: its head, then one sample each, as JSON."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.errors import DataError, ModelError
from harness.files.double_keys import refuse_double_keys
from harness.files.parsing import convert
from harness.records.fingerprints import BYTES, DIGITS, Fingerprints, canonical
from harness.records.id_column import IdColumn

FORMAT = "xvlm-eval predictions 1"
HEAD = b'{"format":"xvlm-eval predictions'  # the first bytes of such a file, of any version
ANY_HEAD = re.compile(rb'\s*\{\s*"format"\s*:\s*"xvlm-eval predictions')  # written by others too

KEYS = (b'"id"', b'"prediction"', b'"inputs"')  # of the lines of samples
AT_ONCE = 2**20  # bytes of lines that are decoded together
UNKNOWN = "0" * DIGITS  # in the row of a sample without a fingerprint
# One for all lines: `json.dumps` would make another for each.
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def to_line(value: Any) -> str:
    """Return a value as a line of JSON. Raises ValueError for NaN and infinity."""
    return ENCODER.encode(value) + "\n"


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
    """The head of a file, None where it has no whole line, and where the whole lines lie.

    Those of samples begin at `begin`; the last one ends, with its line break, at `end`.
    """

    head: bytes | None
    begin: int
    end: int


def whole_lines(content: bytes, path: Path) -> WholeLines:
    """Find the whole lines of a file: a kill may have torn the last one.

    Raises DataError for a file that does not begin like a prediction file, and for a line with a
    key twice, of which a reader would keep either value.
    """
    end = content.rfind(b"\n") + 1
    if not end and not content.startswith(HEAD[: len(content)]):
        raise DataError(
            f"{path}: is not a prediction file; move it away, or replace it with --fresh"
        )
    begin = content.find(b"\n") + 1
    _refuse_double_keys(content, begin, end, path)
    return WholeLines(content[: begin - 1] if end else None, begin, end)


def _refuse_double_keys(content: bytes, begin: int, end: int, path: Path) -> None:
    """Raise DataError for a line with a key twice.

    Lines of samples are parsed for it only where there are more keys than lines.
    """
    samples = content.count(b"\n", begin, end)
    doubtful = any(content.count(key, begin, end) > samples for key in KEYS)
    lines = content[: end if doubtful else begin].split(b"\n")[:-1]
    for number, line in enumerate(lines, start=1):
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


class PredictionColumns(NamedTuple):
    """The predictions of a file, row by row: equal texts are one object."""

    ids: IdColumn
    predictions: Sequence[Any]
    fingerprints: Fingerprints


def parse_predictions(content: bytes, begin: int, end: int, path: Path) -> PredictionColumns:
    """Return the content of the lines of samples, which lie between `begin` and `end`.

    Raises DataError, naming the line, for anything but a prediction, and for NaN and infinity.
    """
    columns = _parse_at_once(content, begin, end)
    return columns or _parse_line_by_line(content[begin:end].split(b"\n")[:-1], path)


class _Line(msgspec.Struct, gc=False):
    """The line of a sample; `_parse_at_once` checks the types."""

    id: Any
    prediction: Any
    inputs: Any = None


def _parse_at_once(content: bytes, begin: int, end: int) -> PredictionColumns | None:
    """Return the columns of many lines at a time; None where a line may be no prediction.

    A quarter of the time of one by one. The decoder takes lines that it has to refuse, of several
    objects or of a part: they are noticed by the number of objects, where each line begins and
    ends like one.
    """
    decoder = msgspec.json.Decoder(_Line)
    ids: list[Any] = []
    predictions: list[Any] = []
    fingerprints, known = bytearray(), bytearray()
    texts: dict[str, str] = {}  # equal answers share one object
    while begin < end:
        last = content.rfind(b"\n", begin, min(end, begin + AT_ONCE))
        last = last if last >= 0 else content.index(b"\n", begin)
        lines, begin = content[begin : last + 1], last + 1
        number = lines.count(b"}\n{") + 1
        if not (lines.startswith(b"{") and lines.endswith(b"}\n")) or lines.count(b"\n") != number:
            return None
        try:
            entries = decoder.decode_lines(lines)
            inputs = [UNKNOWN if entry.inputs is None else entry.inputs for entry in entries]
            fingerprints += bytes.fromhex("".join(inputs))
        except (msgspec.MsgspecError, RecursionError, TypeError, ValueError):
            return None
        known += bytes([entry.inputs is not None for entry in entries])
        ids += [entry.id for entry in entries]
        predictions += [
            texts.setdefault(value, value) if type(value) is str else value
            for value in [entry.prediction for entry in entries]
        ]
        if len(entries) != number or set(map(len, inputs)) != {DIGITS}:
            return None
    if not set(map(type, ids)) <= {int, str} or len(fingerprints) != BYTES * len(ids):
        return None
    try:
        rows = IdColumn(ids)
    except ValueError:
        return None
    flags = None if all(known) else bytes(known)
    return PredictionColumns(rows, predictions, Fingerprints(rows, fingerprints, flags))


def _parse_line_by_line(lines: Sequence[bytes], path: Path) -> PredictionColumns:
    """Return the columns of lines as JSON allows them, or raise DataError for the first bad one."""
    predictions: dict[Any, Any] = {}
    fingerprints: dict[Any, str] = {}
    texts: dict[str, str] = {}
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
                f"{path}: line {number} is not a prediction; "
                "the file was damaged: replace it with --fresh"
            ) from error
        if type(prediction) is str:
            prediction = texts.setdefault(prediction, prediction)
        predictions[id] = prediction
    known = Fingerprints()
    known.update(fingerprints.items())
    return PredictionColumns(IdColumn([*predictions]), [*predictions.values()], known)


def _decode(line: bytes) -> Any:
    """Return the value of a line: by msgspec, which is twice as fast, where it takes the line.

    Both decode it to the same value; `json` also takes a byte order mark and half a surrogate pair.
    """
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return json.loads(line, parse_constant=_refuse_constant, parse_float=_finite)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    """Return a number. Raises ValueError for one beyond all floats, such as 1e400."""
    if math.isfinite(number := float(text)):
        return number
    raise ValueError(f"{text} is too large")
