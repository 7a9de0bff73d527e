"""A record that was edited by hand is refused by every verb, with file, field and exit code 3."""

import pytest

from harness import errors, read_results
from harness.cli.main import main
from harness.records.stored import read_result
from tests.support.altered import CHECKPOINT, copied, edit_record

STEMS = ("nlvr2.dev", "refcoco+.testB")
PROBLEM = "refcoco+.testB.json: n should be a whole number >= 1, but is -5"


@pytest.fixture
def edited(baseline, tmp_path):
    """NLVR2 as it was, and testB about -5 samples."""
    results = copied(baseline, tmp_path / "edited", *STEMS)
    edit_record(results, STEMS[1], n=-5)
    return results


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("table {edited} --layout all", 3),
        ("show {edited} --limit 1", 3),
        ("show {sound} --limit 1 --baseline {edited}", 3),
        ("report {edited} --no-images --out {out}", 3),
        ("report {sound} --no-images --out {out} --baseline {edited}", 3),
        ("export {edited} --format csv --out {out}", 3),
        ("export {edited} --format model-index", 3),
        ("diff {sound} {edited}", 3),
        ("diff {edited} {sound}", 3),
        ("check {edited} --baseline {sound}", 1),
        ("check {sound} --baseline {edited}", 1),
        ("check {sound} --baseline {sound2} --history {sound2} {edited}", 3),
        ("power --baseline {edited}", 3),
        ("show {edited}/{record}", 3),
        ("diff {sound}/{record} {edited}/{record}", 3),
        ("score --task refcoco+ --split testB --predictions {predictions} --out {out}", 3),
    ],
)
def test_an_edited_record_is_named_whatever_reads_it(
    edited, baseline, tmp_path, capsys, command, code
):
    record = f"{CHECKPOINT}/{STEMS[1]}.json"
    names = {
        "edited": edited,
        "sound": copied(baseline, tmp_path / "sound", *STEMS),
        "sound2": copied(baseline, tmp_path / "sound2", *STEMS),
        "out": tmp_path / "out",
        "record": record,
        "predictions": edited / record.replace(".json", ".predictions.jsonl"),
    }
    assert main([word.format(**names) for word in command.split()]) == code
    captured = capsys.readouterr()
    assert PROBLEM in captured.err + captured.out


def test_results_in_python_warn_about_it_or_refuse_it(edited):
    with pytest.warns(errors.HarnessWarning, match=r"n should be a whole number >= 1"):
        assert [result.split for result in read_results(edited)] == ["dev"]
    with pytest.raises(errors.DataError, match=r"n should be a whole number >= 1, but is -5"):
        read_results(edited / CHECKPOINT / f"{STEMS[1]}.json")


def test_a_file_that_is_no_record_at_all_is_named_too(edited, baseline, capsys):
    path = edited / CHECKPOINT / f"{STEMS[1]}.json"
    path.write_text('{"sittings": []}')
    with pytest.raises(errors.DataError, match="is not a result record"):
        read_result(path)
    assert main(["show", str(edited), "--limit", "1"]) == 3
    assert "testB.json: is not a result record" in capsys.readouterr().err


def test_a_record_in_the_place_of_a_folder_is_told_from_an_absent_one(baseline, tmp_path, capsys):
    record = baseline / CHECKPOINT / f"{STEMS[0]}.json"
    assert main(["report", str(record), "--out", str(tmp_path / "out")]) == 3
    assert "is a file; name the folder of results" in capsys.readouterr().err
