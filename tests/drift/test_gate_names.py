"""A gate never passes because a name is misspelt, and its outcome is valid in every format."""

from xml.etree import ElementTree

import pytest

from harness import compare
from harness.cli.main import main
from harness.errors import HarnessWarning
from tests.support.tampered import CHECKPOINT, committed, edit, file_of

NAME = "refcoco+.testB"
STEERING = "a\x1b[31mb"  # turns a terminal's text red


@pytest.fixture
def sides(tmp_path):
    """A baseline and the same results."""
    return committed(tmp_path / "baseline", NAME), committed(tmp_path / "runs", NAME)


def checked(capsys, sides, *arguments):
    before, now = map(str, sides)
    code = main(["check", now, "--baseline", before, *arguments])
    streams = capsys.readouterr()
    return code, streams.out, streams.err


def test_a_misspelt_metric_is_no_check(sides, capsys):
    code, _, said = checked(capsys, sides, "--metrics", "acuracy")
    assert code == 2 and "metrics acuracy: the results have none; did you mean accuracy?" in said


def test_a_misspelt_metric_in_the_settings_is_no_check_either(sides, capsys):
    (sides[0] / "gate.yaml").write_text("metrics: [acuracy]")
    assert checked(capsys, sides)[0] == 2


UNKNOWN = "cidr: neither the results nor the baseline have a metric of this name"


def test_an_unknown_name_among_others_is_remarked(sides, capsys):
    code, _, said = checked(
        capsys, sides, "--metrics", "accuracy,cidr", "--margin", "cidr=1", "--margin", "acc*=1"
    )
    assert code == 0
    assert said.splitlines() == [f"metrics: {UNKNOWN}", f"margins: {UNKNOWN}"]


def test_an_unknown_name_in_the_settings_is_remarked_too(sides, capsys):
    (sides[0] / "gate.yaml").write_text("metrics: [accuracy, cidr]\nmargins: {cidr: 1}")
    code, _, said = checked(capsys, sides)
    assert code == 0
    assert said.splitlines() == [f"metrics: {UNKNOWN}", f"margins: {UNKNOWN}"]


def test_python_warns_of_an_unknown_name(sides):
    with pytest.warns(HarnessWarning, match=f"metrics: {UNKNOWN}"):
        assert not compare(sides[1], sides[0], metrics=["accuracy", "cidr"]).failed


def test_a_metric_of_the_baseline_alone_is_known(sides, capsys):
    committed(sides[0], "coco-caption.test")
    code, _, said = checked(capsys, sides, "--metrics", "accuracy,cider", "--allow-missing")
    assert code == 0 and said == ""


def test_names_are_not_remarked_where_nothing_was_compared(sides, capsys):
    edit(sides[1], NAME, lambda record: record["data"].update(name="files"))
    code, _, said = checked(capsys, sides, "--metrics", "accuracy", "--margin", "accuracy=1")
    assert code == 1 and said == ""


def test_settings_that_make_no_sense_are_named_by_their_file(sides, capsys):
    (sides[0] / "gate.yaml").write_text("level: 7")
    code, _, said = checked(capsys, sides)
    assert code == 3 and f"{sides[0]}/gate.yaml: the level of a check is between 0 and 1" in said
    (sides[0] / "gate.yaml").write_text("require: no_worse")
    code, _, said = checked(capsys, sides)
    assert code == 3 and "require is 'no_worse', which is none of the values that it may" in said


def test_settings_behind_a_broken_link_are_not_taken_for_none(sides, capsys):
    (sides[0] / "gate.yaml").symlink_to("nowhere")
    code, _, said = checked(capsys, sides)
    assert code == 3 and f"{sides[0]}/gate.yaml: is a link to nowhere" in said


def steer(folder):
    """Name the checkpoint of a result so that its name steers a terminal."""
    edit(folder, NAME, lambda record: record["checkpoint"].update(name=STEERING))
    file_of(folder, NAME).parent.rename(folder / STEERING)


@pytest.mark.parametrize("verb", ["check", "table", "power", "diff", "diff-md"])
def test_no_name_of_a_result_steers_the_terminal(sides, capsys, verb):
    before, now = sides
    for side in sides:
        steer(side)
    arguments = {
        "check": ["check", now, "--baseline", before],
        "table": ["table", now, "--layout", "all"],
        "power": ["power", "--baseline", now],
        "diff": ["diff", before, now],
        "diff-md": ["diff", before, now, "--format", "md"],
    }[verb]
    assert main([str(argument) for argument in arguments]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert verb == "check" or "a\ufffd" in shown  # a sound check names only what failed


def test_junit_is_xml_whatever_a_record_holds(sides, capsys):
    edit(sides[1], NAME, lambda record: record["checkpoint"].update(name=STEERING))
    code, text, _ = checked(capsys, sides, "--format", "junit")
    cases = ElementTree.fromstring(text)
    assert code == 1 and CHECKPOINT in text
    assert "a\ufffd[31mb" in cases[0][0].get("message")
