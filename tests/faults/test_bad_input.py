"""Faulty files: a clear error, the right exit code, no stack trace, and no prediction lost."""

import json
import pickle
from pathlib import Path

import pytest
from PIL import Image

from harness.cli.main import main
from tests.faults.broken import BROKEN, IMAGE, INSTANCES, REFS
from tests.support import refcoco_files
from tests.support.small_run import run


def test_nothing_broken_is_no_error(world, capsys):
    assert run(world) == 0
    assert (
        "refcoco+ val: 3 samples, the official split has 10758; "
        "such a result fills no row of the table"
    ) in capsys.readouterr().err
    record = json.loads((world / "out" / "tiny" / "refcoco+.val.json").read_text())
    assert (record["n"], record["data"]["name"], record["checkpoint"]["registered"]) == (
        3,
        "files",
        False,
    )


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_named_and_ends_the_run_with_code_3(world, capsys, broken):
    damage, expected = BROKEN[broken]
    damage()
    assert run(world) == 3
    shown = capsys.readouterr()
    for words in expected:
        assert words in shown.err
    assert "Traceback" not in shown.err and shown.out == ""
    assert not (world / "pwned").exists()


def test_debug_shows_the_stack_trace_beside_the_message_and_ends_with_the_same_code(world, capsys):
    INSTANCES.write_bytes(b"")
    assert run(world, "--debug") == 3
    shown = capsys.readouterr().err
    assert "Traceback" in shown and shown.splitlines()[-1].endswith("get it again")


def test_what_was_predicted_before_a_broken_image_is_kept(world, capsys):
    content = refcoco_files.instances()
    content["annotations"][1]["image_id"] = 2  # the third expression is now about the second image
    references = refcoco_files.refs()
    references[1]["image_id"] = 2
    INSTANCES.write_text(json.dumps(content))
    REFS.write_bytes(pickle.dumps(references))
    second = Path("data/images/coco/train2014/two.jpg")
    sound = second.read_bytes()
    second.write_bytes(sound[:100])
    assert run(world, "--batch-size", "2") == 3
    assert "two.jpg" in capsys.readouterr().err
    kept = (world / "out" / "tiny" / "refcoco+.val.predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in kept[1:]] == [100, 101]
    assert not (world / "out" / "tiny" / "refcoco+.val.json").exists()
    second.write_bytes(sound)
    assert run(world, "--batch-size", "2") == 0
    assert "2 of 3 (2 were predicted before)" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_written_is_said(world, capsys):
    (world / "out").write_text("a file")
    assert run(world) == 4
    assert "out" in capsys.readouterr().err


def test_a_damaged_record_is_named_and_the_others_are_shown(world, capsys):
    assert run(world) == 0
    (world / "out" / "tiny" / "refcoco+.testA.json").write_text("{")
    capsys.readouterr()
    assert main(["table", "out"]) == 3
    shown = capsys.readouterr()
    assert "refcoco+.testA.json: is not JSON" in shown.err
    assert "RefCOCO+ testA" in shown.out


def test_an_image_with_a_palette_or_an_alpha_channel_is_no_error(world):
    Image.open(IMAGE).convert("RGBA").save(IMAGE, format="PNG")
    assert run(world) == 0
