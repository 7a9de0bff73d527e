"""`show`: samples of a result with picture, text, truth, prediction and score."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.cli.main import main
from harness.running import retried
from tests.support.altered import copied, predict_otherwise
from tests.support.scored_boxes import scored
from tests.support.tampered import committed, edit, edit_scores

RESULTS = Path(__file__).parents[2] / "results"
TEXTS = {100: "red cup", 101: "the cup", 102: "a\x1b[31mred\u202e cup"}


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def shown(capsys, *arguments) -> dict:
    assert main(["show", *map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_row_holds_picture_text_truth_prediction_and_scores(tmp_path, capsys):
    results = scored(tmp_path, TEXTS, wrong=frozenset({101}))
    capsys.readouterr()
    assert main(["show", str(results), "--data", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert "boxes refcoco+ val: 3 of 3 samples" in out
    row = next(line for line in out.splitlines() if line.startswith("101"))
    assert " ".join(row.split()) == (
        "101 one.jpg the cup x 10, y 20, 30 × 40 x 85, y 68, 10 × 8 0.00 0.00"
    )


def test_captions_whose_cider_is_0_are_not_called_wrong(tmp_path, capsys):
    results = committed(tmp_path, "coco-caption.val")
    edit_scores(results, "coco-caption.val", none_agrees)
    none = {"cider": 0.0, "rouge_l": 0.0}
    edit(results, "coco-caption.val", lambda record: record["metrics"].update(none))
    edit(results, "coco-caption.val", lambda record: record.update(intervals={}))
    (part,) = shown(capsys, results, "--limit", "2")["results"]
    assert [(sample["scores"]["cider"], sample["wrong"]) for sample in part["samples"]] == [
        (0.0, None), (0.0, None),
    ]  # fmt: skip


def none_agrees(arrays):
    """Give all samples, and the clusters of the statistics of the same values, a score of 0."""
    for values in arrays["values"]:
        for name in [name for name in arrays if name.startswith("array")]:
            if np.array_equal(arrays[name], values):
                arrays[name] = np.zeros_like(values)
    arrays["values"] = np.zeros_like(arrays["values"])


def test_letters_that_a_terminal_obeys_are_not_printed(tmp_path, capsys):
    results = scored(tmp_path, TEXTS)
    capsys.readouterr()
    assert main(["show", str(results), "--data", str(tmp_path / "data")]) == 0
    out = capsys.readouterr().out
    assert "a�[31mred� cup" in out and "\x1b" not in out and "\u202e" not in out


def test_wrong_samples_and_the_lowest_scores_come_as_asked(tmp_path, capsys):
    results = scored(tmp_path, TEXTS, wrong=frozenset({101, 102}))
    data = ["--data", tmp_path / "data"]
    capsys.readouterr()
    (wrong,) = shown(capsys, results, *data, "--wrong")["results"]
    assert [sample["id"] for sample in wrong["samples"]] == [101, 102]
    (lowest,) = shown(capsys, results, *data, "--sort", "score", "--limit", "1")["results"]
    assert [sample["id"] for sample in lowest["samples"]] == [101]
    (named,) = shown(capsys, results, *data, "--sample", "100")["results"]
    assert named["samples"][0]["wrong"] is False


def test_boxes_are_told_and_drawn_in_pixels(tmp_path, capsys):
    results = scored(tmp_path, {100: "red cup"})
    capsys.readouterr()
    content = shown(capsys, results, "--data", tmp_path / "data", "--save", tmp_path / "pictures")
    boxes = content["results"][0]["samples"][0]["pictures"][0]["boxes"]
    assert [(box["role"], [round(x) for x in box["box"]]) for box in boxes] == [
        ("truth", [10, 20, 30, 40]),
        ("prediction", [10, 20, 30, 40]),
    ]
    (path,) = (tmp_path / "pictures").iterdir()
    with Image.open(path) as image:
        assert image.size == (400, 320)  # four times the 100 x 80 pixels
        orange, red = (0xD5, 0x5E, 0x00), (254, 0, 0)  # the prediction, drawn last; the picture
        edges = [(40, 160), (160, 160), (100, 80), (100, 240)]  # left, right, top and bottom
        assert [image.getpixel(point) for point in edges] == [orange] * 4
        assert image.getpixel((100, 160)) == red


def test_csv_is_one_table_of_full_texts(tmp_path, capsys):
    results = scored(tmp_path, {100: 'a, "b"\nc'})
    capsys.readouterr()
    assert main(["show", str(results), "--data", str(tmp_path / "data"), "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["task"], row["id"], row["text"], row["accuracy"]) == (
        *("refcoco+", "100", 'a, "b"\nc', "100.0"),
    )


def test_gains_and_losses_are_those_since_the_baseline(tmp_path, capsys):
    before = scored(tmp_path, TEXTS, wrong=frozenset({100}))
    after = scored(tmp_path, TEXTS, wrong=frozenset({102}))
    data = ["--data", tmp_path / "data", "--baseline", before]
    capsys.readouterr()
    (lost,) = shown(capsys, after, *data, "--sort", "loss")["results"]
    assert [(sample["id"], sample["before"]["flip"]) for sample in lost["samples"]] == [
        (102, "loss")
    ]
    (gained,) = shown(capsys, after, *data, "--sort", "gain")["results"]
    assert [sample["id"] for sample in gained["samples"]] == [100]
    assert main(["show", str(after), "--sort", "gain"]) == 2
    assert "--baseline DIR" in capsys.readouterr().err


def test_without_the_annotations_what_is_known_is_shown(tmp_path, capsys):
    results = scored(tmp_path, {100: "red cup"})
    shutil.rmtree(tmp_path / "data" / "refcoco+")
    capsys.readouterr()
    assert main(["show", str(results), "--data", str(tmp_path / "data")]) == 0
    out, err = capsys.readouterr()
    assert "no images, texts or truths are shown" in err
    assert "100" in out and "[0.25, 0.5, 0.3, 0.5]" in out and "100.00" in out


def test_other_annotations_than_those_of_the_run_are_not_shown_as_its_truth(tmp_path, capsys):
    results = scored(tmp_path, {100: "red cup"})
    instances = tmp_path / "data" / "refcoco+" / "instances.json"
    instances.write_text(instances.read_text().replace("[10, 20, 30, 40]", "[10, 20, 30, 50]"))
    capsys.readouterr()
    (part,) = shown(capsys, results, "--data", tmp_path / "data")["results"]
    assert "other annotation files than those of the run" in part["problems"][0]
    assert part["samples"][0]["truth"] is None and part["samples"][0]["scores"]


def test_a_missing_picture_is_named_and_the_rest_is_shown(tmp_path, capsys):
    results = scored(tmp_path, {100: "red cup"})
    (tmp_path / "data" / "images" / "coco" / "train2014" / "one.jpg").unlink()
    capsys.readouterr()
    arguments = ["--data", str(tmp_path / "data"), "--save", str(tmp_path / "pictures")]
    assert main(["show", str(results), *arguments]) == 0
    out, err = capsys.readouterr()
    assert "red cup" in out and "one.jpg: no such image" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 3, "nowhere: no such record or folder of results"),
        ([str(RESULTS), "--sample", "nothing"], 2, "has no sample nothing"),
        (
            [str(RESULTS / "xvlm-shapes" / "coco-caption.val.json"), "--wrong"],
            *(2, "by which none is right or wrong"),
        ),
    ],
)
def test_what_cannot_be_shown_is_an_error(arguments, code, message, capsys):
    assert main(["show", *arguments]) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--wrong"], ["--sort", "score"]])
def test_samples_without_scores_are_neither_right_nor_in_order(flags, tmp_path, capsys):
    results = committed(tmp_path, "ovad.box", "vqav2.test", "nlvr2.dev")
    (results / "xvlm-shapes" / "nlvr2.dev.contributions.npz").unlink()
    flag = " ".join(flags)
    for name, reason in {
        "ovad.box": "but this result has none",
        "vqav2.test": "but its truths are hidden",
        "nlvr2.dev": "but .*contributions.npz: is missing",
    }.items():
        assert main(["show", str(results / "xvlm-shapes" / f"{name}.json"), *flags]) == 2
        assert re.search(f"{flag} needs a score for each sample, {reason}", capsys.readouterr().err)


def test_a_result_that_cannot_be_compared_is_named_and_the_others_are_shown(tmp_path, capsys):
    results = committed(tmp_path, "ovad.box", "nlvr2.dev")
    (results / "xvlm-shapes" / "nlvr2.dev.contributions.npz").unlink()
    baseline = ["--baseline", str(RESULTS)]
    assert main(["show", str(results), *baseline]) == 3
    out, err = capsys.readouterr()
    assert "ovad box: 10 of 514 samples" in out
    assert "nlvr2.dev.contributions.npz: is missing" in err
    assert main(["show", str(results), *baseline, "--sample", "dev-0-0-0"]) == 3
    assert "nlvr2.dev.contributions.npz: is missing" in capsys.readouterr().err


def test_a_sample_that_was_skipped_says_why(finished, tmp_path, capsys, monkeypatch):
    results = copied(finished, tmp_path, "nlvr2.dev")
    monkeypatch.setattr(  # its images are as unreadable as before
        retried, "_unreadable", lambda run, model, samples: {s.id: "torn" for s in samples}
    )
    predict_otherwise(results, "nlvr2.dev", lambda all: {next(iter(all)): {"skipped": "torn"}})
    capsys.readouterr()
    (part,) = shown(capsys, results, "--limit", "1")["results"]
    assert part["samples"][0]["prediction"] == "(skipped: torn)"


def test_the_old_prediction_stands_beside_the_new_one(tmp_path, capsys):
    before = scored(tmp_path, TEXTS, wrong=frozenset({100}))
    after = scored(tmp_path, TEXTS)
    data = ["--data", str(tmp_path / "data"), "--baseline", str(before), "--sort", "gain"]
    capsys.readouterr()
    assert main(["show", str(after), *data, "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["id"], row["prediction"], row["before"], row["was"], row["flip"]) == (
        *("100", "x 10, y 20, 30 × 40", "x 85, y 68, 10 × 8", "0.0", "gain"),
    )


def test_a_damaged_record_is_named_and_the_others_are_shown(tmp_path, capsys):
    results = scored(tmp_path, TEXTS)
    (results / "boxes" / "refcoco+.testA.json").write_text("{")
    capsys.readouterr()
    assert main(["show", str(results), "--data", str(tmp_path / "data")]) == 3
    out, err = capsys.readouterr()
    assert "left out: " in err and "refcoco+.testA.json" in err and "3 of 3 samples" in out


def test_a_narrow_terminal_gets_narrow_cells_with_whole_ids(tmp_path, capsys, monkeypatch):
    results = scored(tmp_path, {100: "a very long expression about a red cup on a table"})
    monkeypatch.setenv("COLUMNS", "60")
    capsys.readouterr()
    assert main(["show", str(results), "--data", str(tmp_path / "data")]) == 0
    row = capsys.readouterr().out.splitlines()[3]
    assert row.split()[:2] == ["100", "one.jpg"] and "a very long expre…" in row
