"""Lines are decoded many at a time, and mean what each of them means by itself."""

import json
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records import prediction_lines
from harness.records.prediction_lines import parse_predictions

FIRST, SECOND = "0123456789abcdef00000001", "fedcba987654321000000002"
GOOD = b"".join(
    json.dumps(line).encode() + b"\n"
    for line in (
        {"id": 7, "prediction": "a cup", "inputs": FIRST},
        {"id": 2, "prediction": [0.5, 1], "inputs": SECOND.upper()},
        {"id": 30, "prediction": "a cup"},
        {"id": 4, "prediction": {"skipped": "torn"}, "inputs": None},
    )
)


def parsed(content):
    columns = parse_predictions(b"head\n" + content, 5, 5 + len(content), Path("p.jsonl"))
    by_id = dict(zip(columns.ids, columns.predictions, strict=True))
    return by_id, columns.fingerprints


@pytest.mark.parametrize("at_once", [1, 70, 150, 2**20])
def test_lines_keep_their_order_and_their_fingerprints(monkeypatch, at_once):
    monkeypatch.setattr(prediction_lines, "AT_ONCE", at_once)
    monkeypatch.setattr(prediction_lines, "_parse_line_by_line", None)  # is not needed
    predictions, fingerprints = parsed(GOOD)
    assert list(predictions.items()) == [
        (7, "a cup"), (2, [0.5, 1]), (30, "a cup"), (4, {"skipped": "torn"}),
    ]  # fmt: skip
    assert predictions[7] is predictions[30]
    assert dict(fingerprints) == {7: FIRST, 2: SECOND} and len(fingerprints) == 2
    assert 30 not in fingerprints and 4 not in fingerprints and 99 not in fingerprints
    numbers, known = fingerprints.parts_of([99, 2, 30, 7])
    assert known.tolist() == [False, True, False, True]
    assert numbers.tolist() == [
        [0, 0, 0], [0xFEDCBA98, 0x76543210, 2], [0, 0, 0], [0x01234567, 0x89ABCDEF, 1],
    ]  # fmt: skip
    fingerprints.update([(99, FIRST)])
    assert fingerprints.parts_of([99]).numbers.tolist() == [[0x01234567, 0x89ABCDEF, 1]]
    assert fingerprints.parts_of([99]).known.all() and len(fingerprints) == 3


@pytest.mark.parametrize(
    ("line", "id", "prediction"),
    [
        (b'  {"id": 5, "prediction": 1, "later": {}} \r', 5, 1),
        (b'\xef\xbb\xbf{"id":5,"prediction":"byte order mark"}', 5, "byte order mark"),
        (b'{"id":"5","prediction":"}{"}', "5", "}{"),
        (b'{"id":5,"prediction":"\\ud800"}', 5, "\ud800"),
        (b'{"id":98765432109876543210,"prediction":null}', 98765432109876543210, None),
    ],
)
def test_what_json_allows_is_read(line, id, prediction):
    predictions, fingerprints = parsed(GOOD + line + b"\n")
    assert len(predictions) == 5 and predictions[id] == prediction
    assert dict(fingerprints) == {7: FIRST, 2: SECOND}


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":5,"prediction":1} {"id":6,"prediction":1}',
        b'{"id":5,\n"prediction":1}',
        # As many objects as lines: one line holds two, another one none.
        b'{"id":5,"prediction":1}{"id":6,"prediction":1}\n',
        b'{"id":5,"prediction":1}{"id":6,"prediction":{}\n}',
        b"",
        b'{"id":5}',
        b'{"id":true,"prediction":1}',
        b'{"id":5.0,"prediction":1}',
        b'{"id":7,"prediction":1}',
        b'{"id":5,"prediction":NaN}',
        b'{"id":5,"prediction":[0.5,-1e400]}',
        b'{"id":5,"prediction":1,"inputs":7}',
        b'{"id":5,"prediction":1,"inputs":"0123"}',
        b'{"id":5,"prediction":1,"inputs":"0123456789abcdef0000000g"}',
        b'{"id":5,"prediction":1,"inputs":"01 23456789abcdef000000 "}',
        b'[5, "prediction"]',
    ],
)
def test_a_line_that_is_no_prediction_is_named(line):
    with pytest.raises(DataError, match=r"p\.jsonl: line 6 is not a prediction"):
        parsed(GOOD + line + b"\n")
    with pytest.raises(DataError, match="line 6 is not a prediction"):
        parsed(GOOD + line + b'\n{"id":100,"prediction":1}\n')
