"""Faulty files: a clear error, the right exit code, no stack trace, and no prediction lost."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from harness.cli.main import main
from tests.support import refcoco_files
from tests.support.models_on_disk import grounding_state, write_checkpoint, write_vocabulary


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A valid data folder, checkpoint and output folder, of which each test breaks one thing."""
    monkeypatch.chdir(tmp_path)
    refcoco_files.write(tmp_path / "data")
    write_checkpoint(tmp_path / "weights" / "tiny.th")
    return tmp_path


RUN = ["run", "--task", "refcoco+", "--out", "out"]


def run(world, *more):
    return main(
        [*RUN, "--split", "val", "--data", "data", "--checkpoint", "weights/tiny.th", *more]
    )


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


def change(path, **changes):
    """Edit the object at `path` (file, then keys) of a JSON or pickle file."""
    file, *keys = path
    read, write = (
        (json.loads, lambda value: json.dumps(value).encode())
        if file.suffix == ".json"
        else (pickle.loads, pickle.dumps)
    )
    content = item = read(file.read_bytes())
    for key in keys:
        item = item[key]
    for key, value in changes.items():
        if value is ...:
            del item[key]
        else:
            item[key] = value
    file.write_bytes(write(content))


class Attack:
    def __reduce__(self):
        return os.system, ("touch pwned",)


REFS = Path("data/refcoco+/refs(unc).p")
INSTANCES = Path("data/refcoco+/instances.json")
IMAGE = Path("data/images/coco/train2014/one.jpg")
FLAT = Path("data/refcoco+_val.json")

BROKEN = {
    "a truncated image": (
        lambda: IMAGE.write_bytes(IMAGE.read_bytes()[:300]),
        ["one.jpg", "sample 100", "cannot be decoded"],
    ),
    "an empty image": (lambda: IMAGE.write_bytes(b""), ["one.jpg", "sample 100"]),
    "a web page instead of an image": (
        lambda: IMAGE.write_text("<html>not found</html>"),
        ["one.jpg", "sample 100"],
    ),
    "a missing image": (IMAGE.unlink, ["one.jpg", "no such image", "sample 100"]),
    "a folder instead of an image": (
        lambda: (IMAGE.unlink(), IMAGE.mkdir()),
        ["one.jpg", "sample 100"],
    ),
    "zero bytes of JSON": (lambda: INSTANCES.write_bytes(b""), ["instances.json", "is empty"]),
    "half a JSON file": (
        lambda: INSTANCES.write_bytes(INSTANCES.read_bytes()[:100]),
        ["instances.json", "not JSON", "(column 99)"],
    ),
    "binary instead of JSON": (
        lambda: INSTANCES.write_bytes(b"\xff\xfe\x00"),
        ["instances.json", "not UTF-8"],
    ),
    "JSON nested without end": (
        lambda: INSTANCES.write_text("[" * 200000),
        ["instances.json", "is not JSON that can be read"],
    ),
    "JSON of another shape": (
        lambda: INSTANCES.write_text("[1, 2]"),
        ["instances.json", "should be an object"],
    ),
    "a list where there should be objects": (
        lambda: INSTANCES.write_text('{"images": [3]}'),
        ["instances.json", "images[0] should be an object, but is 3"],
    ),
    "no boxes": (
        lambda: change([INSTANCES], annotations=[]),
        ["instances.json", "annotations is an empty list"],
    ),
    "a box of three numbers": (
        lambda: change([INSTANCES, "annotations", 0], bbox=[1, 2, 3]),
        ["annotations[0].bbox should have 4 items, but is [1, 2, 3]"],
    ),
    "a box of words": (
        lambda: change([INSTANCES, "annotations", 0], bbox=["a", 2, 3, 4]),
        ["annotations[0].bbox[0] should be a number, but is 'a'"],
    ),
    "a box that is no number": (
        lambda: change([INSTANCES, "annotations", 1], bbox=[1, 2, float("nan"), 4]),
        ["annotations[1].bbox[2] should be a finite number, but is NaN"],
    ),
    "a box without a size": (
        lambda: change([INSTANCES, "annotations", 1], bbox=[1, 2, 0, 4]),
        ["annotation 11", "empty box"],
    ),
    "a box outside its image": (
        lambda: change([INSTANCES, "annotations", 1], bbox=[100, 2, 5, 4]),
        ["annotation 11", "outside", "100 x 80"],
    ),
    "a width in words": (
        lambda: change([INSTANCES, "images", 0], width="100"),
        ["images[0].width should be a whole number, but is '100'"],
    ),
    "a name that leaves the folder": (
        lambda: change([INSTANCES, "images", 0], file_name="../../../etc/passwd"),
        ["etc/passwd", "outside of"],
    ),
    "an absolute name": (
        lambda: change([INSTANCES, "images", 0], file_name="/etc/passwd"),
        ["etc/passwd", "outside of"],
    ),
    "a reference without annotation": (
        lambda: change([REFS, 1], ann_id=77),
        ["ref_id 1", "annotation 77"],
    ),
    "a reference to another image": (
        lambda: change([REFS, 1], image_id=2),
        ["ref_id 1", "image 2", "image 1"],
    ),
    "an image that is not listed": (
        lambda: change([INSTANCES, "images", 0], id=5),
        ["annotation 10", "image 1"],
    ),
    "a reference without sentences": (
        lambda: change([REFS, 0], sentences=...),
        ["refs(unc).p, item 0: has no 'sentences'"],
    ),
    "a sentence id in words": (
        lambda: change([REFS, 0, "sentences", 0], sent_id="100"),
        ["item 0: sentences[0].sent_id should be a whole number, but is '100'"],
    ),
    "an annotation twice": (
        lambda: change([INSTANCES, "annotations", 1], id=10),
        ["annotations[1]: the id 10 occurs twice"],
    ),
    "an image twice": (
        lambda: change([INSTANCES, "images", 1], id=1),
        ["images[1]: the id 1 occurs twice"],
    ),
    "a pipe instead of an image": (
        lambda: (IMAGE.unlink(), os.mkfifo(IMAGE)),
        ["one.jpg", "is not a file", "sample 100"],
    ),
    "a pipe instead of references": (
        lambda: (REFS.unlink(), os.mkfifo(REFS)),
        ["refs(unc).p", "is not a file"],
    ),
    "a folder instead of boxes": (
        lambda: (INSTANCES.unlink(), INSTANCES.mkdir()),
        ["instances.json", "is not a file"],
    ),
    "a folder instead of a checkpoint": (
        lambda: (Path("weights/tiny.th").unlink(), Path("weights/tiny.th").mkdir()),
        ["tiny.th", "is a folder"],
    ),
    "a sentence id twice": (
        lambda: change([REFS, 1, "sentences", 0], sent_id=100),
        ["sent_id 100 occurs twice"],
    ),
    "a reference twice": (lambda: change([REFS, 1], ref_id=0), ["ref_id 0 occurs twice"]),
    "an expression of nothing but marks": (
        lambda: change([REFS, 0, "sentences", 0], sent="?!"),
        ["'?!'", "nothing is left"],
    ),
    "an expression too long to read": (
        lambda: change([REFS, 0, "sentences", 0], sent="tall " * 29),
        ["30 tokens", "reads 16"],
    ),
    "a pickle that calls os.system": (
        lambda: REFS.write_bytes(pickle.dumps([Attack()])),
        ["refs(unc).p", "system", "could run code"],
    ),
    "a pickle of a class": (
        lambda: REFS.write_bytes(pickle.dumps([Path("x")])),
        ["refs(unc).p", "pathlib"],
    ),
    "half a pickle": (
        lambda: REFS.write_bytes(REFS.read_bytes()[:200]),
        ["refs(unc).p", "not a readable pickle"],
    ),
    "an empty pickle": (lambda: REFS.write_bytes(b""), ["refs(unc).p", "is empty"]),
    "a pickle of a number": (
        lambda: REFS.write_bytes(pickle.dumps(3)),
        ["refs(unc).p", "should be a list"],
    ),
    "a split without references": (
        lambda: change([REFS, 0], split="train") or change([REFS, 1], split="train"),
        ["no expression of the split val"],
    ),
    "a flat list of unknown references": (
        lambda: FLAT.write_text('[{"image": "a", "text": "cup", "ref_id": 9}]'),
        ["item 0", "ref_id 9"],
    ),
    "a flat list of too many sentences": (
        lambda: FLAT.write_text(json.dumps([{"text": "cup", "ref_id": 1}] * 2)),
        ["item 1", "one more"],
    ),
    "missing references": (REFS.unlink, ["refs(unc).p", "get it from"]),
    "a missing data folder": (
        lambda: Path("data").rename("elsewhere"),
        ["data", "no such data folder"],
    ),
    "a missing checkpoint": (
        lambda: Path("weights/tiny.th").unlink(),
        ["weights/tiny.th", "no such file"],
    ),
    "a missing vocabulary": (
        lambda: Path("weights/vocab.txt").unlink(),
        ["vocab.txt", "bert-base-uncased"],
    ),
    "another vocabulary": (
        lambda: Path("weights/vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n"),
        ["6 word pieces", "13"],
    ),
    "a vocabulary that is none": (
        lambda: Path("weights/vocab.txt").write_text("a\nb\n"),
        ["vocab.txt", "[PAD]"],
    ),
    "a checkpoint with a missing key": (
        lambda: write_checkpoint(
            Path("weights/tiny.th"),
            {k: v for k, v in grounding_state().items() if k != "bbox_head.3.bias"},
        ),
        ["tiny.th", "lacks bbox_head.3.bias"],
    ),
    "a checkpoint with another head": (
        lambda: write_checkpoint(
            Path("weights/tiny.th"),
            {k.replace("bbox_head", "itm_head"): v for k, v in grounding_state().items()},
        ),
        ["refcoco+ needs a Grounder", "tiny.th", "retrieval"],
    ),
    "half a checkpoint": (
        lambda: Path("weights/tiny.th").write_bytes(Path("weights/tiny.th").read_bytes()[:5000]),
        ["tiny.th", "not a readable"],
    ),
    "a checkpoint that runs code": (
        lambda: torch.save({"model": Attack()}, "weights/tiny.th"),
        ["tiny.th", "would run code"],
    ),
}


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


@pytest.fixture
def released(world, monkeypatch):
    """A released checkpoint of checkpoints.yaml, at its path below the data folder."""
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(world / "cache"))
    (world / "data" / "bert-base-uncased").mkdir()
    write_vocabulary(world / "data" / "bert-base-uncased")
    place = (
        world / "data" / "checkpoints" / "x-vlm-base-16m" / "refcoco_bbox" / "checkpoint_best.pth"
    )
    return write_checkpoint(place, grounding_state(resolution=384))


def run_released(*more):
    return main([*RUN, "--split", "val", "--data", "data", *more])


def test_a_released_checkpoint_of_another_resolution_is_refused(released, capsys):
    write_checkpoint(released, grounding_state(resolution=64))
    assert run_released() == 3
    assert (
        "is a checkpoint of 64 px, checkpoints.yaml says 384 px for x-vlm-base-16m"
        in capsys.readouterr().err
    )


def test_everything_missing_is_named_at_once_with_where_to_get_it(world, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_CACHE", str(world / "no-hub"))
    for path in (REFS, INSTANCES):
        path.unlink()
    assert run_released() == 3
    shown = capsys.readouterr().err
    for words in (
        "refs(unc).p",
        "instances.json",
        "refcoco_bbox/checkpoint_best.pth",
        "Google Drive, id 1ySQTjpTm5CeHp50YYFObUjT7DTHLN7DZ",
        "bert-base-uncased/vocab.txt",
        "missing (4):",
    ):
        assert words in shown


def test_a_released_file_that_changed_since_its_first_use_is_refused_until_the_note_is_deleted(
    world, released, capsys
):
    assert run_released() == 0
    write_checkpoint(released, grounding_state(seed=1, resolution=384))
    assert run_released("--fresh") == 3
    shown = capsys.readouterr().err
    line = "x-vlm-base-16m/refcoco_bbox/checkpoint_best.pth"
    assert f"delete the line '{line}' from" in shown and "was first used here" in shown
    notebook = world / "cache" / "checkpoints.json"
    assert list(json.loads(notebook.read_text())) == [line]
    notebook.write_text("{}")
    assert run_released("--fresh") == 0


def test_a_file_that_does_not_fit_is_not_noted_as_the_one_first_used(world, released):
    write_checkpoint(released, grounding_state(resolution=64))
    assert run_released() == 3
    assert not (world / "cache" / "checkpoints.json").exists()


def test_a_cache_that_cannot_be_written_is_no_reason_not_to_evaluate(world, released, monkeypatch):
    (world / "file").write_text("")
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(world / "file" / "cache"))
    assert run_released() == 0


def test_the_vocabulary_is_found_where_the_hub_keeps_it(world, released, monkeypatch):
    shutil.rmtree(world / "data" / "bert-base-uncased")
    snapshot = world / "hub" / "models--bert-base-uncased" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (world / "hub" / "models--someone--not-bert-base-uncased" / "snapshots" / "abc").mkdir(
        parents=True
    )
    write_vocabulary(snapshot)
    monkeypatch.setenv("HF_HUB_CACHE", str(world / "hub"))
    assert run_released() == 0


@pytest.mark.parametrize("way", ["environment", "configuration"])
def test_data_and_checkpoints_are_found_without_flags(world, released, monkeypatch, capsys, way):
    (world / "data" / "checkpoints").rename(world / "elsewhere")
    if way == "environment":
        monkeypatch.setenv("XVLM_EVAL_DATA", str(world / "data"))
        monkeypatch.setenv("XVLM_EVAL_CHECKPOINTS", str(world / "elsewhere"))
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(world / "config"))
        (world / "config" / "xvlm-eval").mkdir(parents=True)
        content = f"data: {world / 'data'}\ncheckpoints: {world / 'elsewhere'}\n"
        (world / "config" / "xvlm-eval" / "config.yaml").write_text(content)
    assert main([*RUN, "--split", "val"]) == 0
    assert capsys.readouterr().err.startswith(
        f"data of {world / 'data'}, evaluated with x-vlm-base-16m"
    )


@pytest.mark.parametrize(
    ("content", "code"), [("data: [", 3), ("dada: x", 2), ("data: 3", 2), ("- x", 2), ("\x00", 3)]
)
def test_a_configuration_file_that_is_none_is_named(world, monkeypatch, capsys, content, code):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(world))
    (world / "xvlm-eval").mkdir()
    (world / "xvlm-eval" / "config.yaml").write_text(content)
    assert main([*RUN]) == code
    assert "config.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["data/finetune/refcoco+", "finetune/refcoco+"])
def test_the_originals_are_found_where_x_vlm_keeps_them(world, place):
    (world / "data" / place).parent.mkdir(parents=True)
    (world / "data" / "refcoco+").rename(world / "data" / place)
    assert run(world) == 0


def test_an_output_folder_that_cannot_be_written_is_said(world, capsys):
    (world / "out").write_text("a file")
    assert run(world) == 4
    assert "out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], "--task is needed"),
        (["run", "--task", "refcco+"], "did you mean refcoco+"),
        (["run", "--task", "chess"], "known are: coco-caption, coco-retrieval,"),
        (["run", "--task", "refcoco+", "--split", "tests"], "did you mean testB or testA?"),
        (["run", "--task", "refcoco+", "--checkpoint", "xvlm-shape"], "did you mean xvlm-shapes"),
        (["run", "--task", "refcoco+", "--device", "abacus"], "no such device"),
        (["run", "--task", "refcoco+", "--dtype", "tf32", "--device", "cpu"], "only CUDA"),
        (["run", "--task", "refcoco+", "--checkpoint", "x-vlm"], "x-vlm-base-16m"),
    ],
)
def test_a_name_that_does_not_exist_ends_with_code_2_and_the_nearest_ones(
    capsys, tmp_path, monkeypatch, arguments, expected
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err


def test_an_empty_name_of_a_folder_is_not_taken_for_the_embedded_benchmark(world, capsys):
    assert main([*RUN, "--data", ""]) == 2
    assert "names no folder" in capsys.readouterr().err


def test_a_damaged_record_is_named_and_the_others_are_shown(world, capsys):
    assert run(world) == 0
    (world / "out" / "tiny" / "refcoco+.testA.json").write_text("{")
    capsys.readouterr()
    assert main(["table", "out"]) == 3
    shown = capsys.readouterr()
    assert "refcoco+.testA.json: is not JSON" in shown.err
    assert "RefCOCO+ testA" in shown.out


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["run", "--limit", "0"], ["run", "--limit", "x"], ["run", "--dtype", "int8"]],
)
def test_a_command_line_that_cannot_be_read_ends_with_code_2(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_an_image_with_a_palette_or_an_alpha_channel_is_no_error(world):
    Image.open(IMAGE).convert("RGBA").save(IMAGE, format="PNG")
    assert run(world) == 0
