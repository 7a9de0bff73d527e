"""Own data where results are looked at: show, report, export, and the Python interface."""

import json
import shutil
import warnings

import pytest

from harness import errors, evaluate, load_model, load_task, read_results, score
from harness.cli.main import main
from tests.own.conftest import FILES, flags


def own_flags(root, kind="grounding"):
    return flags(root, kind)[2:]


def shown(capsys, *arguments):
    assert main(["show", *map(str, arguments), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out)["results"], err


def test_show_has_texts_and_truths_of_own_data(own, results, capsys):
    record = results / "xvlm-shapes" / "own-grounding.boxes.json"
    (result,), err = shown(capsys, record, *own_flags(own))
    first = json.loads((own / "boxes.jsonl").read_text().splitlines()[0])
    assert result["samples"][0]["texts"] == [first["expression"]]
    assert result["samples"][0]["truth"] and "no images" not in err


def test_results_on_other_data_keep_their_own_and_the_hint_names_the_flags(
    own,
    results,
    capsys,
):
    _, err = shown(capsys, results, *own_flags(own))
    assert "own-vqa questions: no images, texts or truths are shown: " in err
    assert f"{own / 'boxes.jsonl'}, images of {own / 'photos'} holds other annotation files" in err
    assert "those of the run (questions.jsonl)" in err
    assert "show this result by itself, with its own --annotations FILE --images DIR" in err
    _, err = shown(capsys, results / "xvlm-shapes" / "own-vqa.questions.json")
    assert "it is on data of your own; name them: --annotations FILE --images DIR" in err


@pytest.mark.parametrize("verb", [["show"], ["report"], ["export", "--format", "csv"]])
def test_files_that_do_not_exist_and_flags_without_annotations_are_refused(
    verb,
    own,
    results,
    capsys,
    tmp_path,
):
    out = ["--out", str(tmp_path / "r")] if verb[0] != "show" else []
    command = [verb[0], str(results), *verb[1:], *out]
    assert main([*command, "--annotations", str(tmp_path / "no.jsonl")]) == 3
    assert f"--annotations {tmp_path / 'no.jsonl'}: no such file" in capsys.readouterr().err
    assert main([*command, "--images", "photos"]) == 2
    message = capsys.readouterr().err
    assert "own data" in message and message.endswith(" --annotations FILE\n")
    assert not (tmp_path / "r").exists()


def test_report_takes_a_number_and_a_folder_of_images(own, results, capsys, tmp_path):
    path = tmp_path / "report.html"
    command = ["report", str(results), "--out", str(path)]
    assert main([*command, *own_flags(own, "retrieval"), "--images", "1"]) == 0
    assert path.read_text().count("data:image/") >= 1
    assert "1 of 6 pictures are embedded" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*command, "--images", "-1"])
    assert ended.value.code == 2
    assert "'-1' is not a whole number from 0 up" in capsys.readouterr().err


def test_export_has_the_texts_of_own_data_and_takes_its_kind_as_task(
    own,
    results,
    capsys,
):
    command = ["export", str(results), "--format", "csv", "--split", "boxes"]
    assert main([*command, "--task", "grounding", *own_flags(own)]) == 0
    first = json.loads((own / "boxes.jsonl").read_text().splitlines()[0])
    assert first["expression"] in capsys.readouterr().out


def test_evaluate_score_and_read_results_take_own_data(own, tmp_path):
    data = {"annotations": own / "boxes.jsonl", "images": own / "photos"}
    task = load_task("grounding", **data)
    assert (task.name, task.splits) == ("own-grounding", ("boxes",))
    model = load_model("xvlm-shapes", task="refcoco+")
    found = evaluate(model, "grounding", **data, out=tmp_path / "a")
    assert found[0].split == "boxes" and found.metrics["accuracy"] >= 50
    texts = [sample.text for sample in task.samples()]
    assert list(found.samples().text) == texts
    truths = {s.id: [0.5, 0.5, 1, 1] for s in task.samples()}
    scored = score("grounding", truths, **data, out=tmp_path / "b", name="whole")
    assert scored.metrics["accuracy"] < 50
    both = read_results(tmp_path / "a", tmp_path / "b", **data)
    assert [result.checkpoint for result in both] == ["xvlm-shapes", "whole"]
    assert list(both[1].samples().text) == texts and both[1].benchmark.source.name == "boxes"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_results(tmp_path / "b")[0].samples()
    assert "from Python annotations=FILE, images=DIR" in str(caught[0].message)


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("grounding", {}, "name it by annotations=FILE, images=DIR"),
        ("own-vqa", {}, "name it by annotations=FILE, images=DIR"),
        ("refcoco+", {"annotations": "boxes.jsonl"}, "is not a task on own data"),
        ("refcoco+", {"images": "photos"}, "is for own data; pass annotations=FILE too"),
        ("grounding", {"annotations": 7}, "annotations should be a path or a list of paths, not 7"),
        ("grounding", {"annotations": "boxes.jsonl", "data_name": "a/b"}, "should consist of"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(task, arguments, message):
    with pytest.raises(errors.UsageError, match=message):
        load_task(task, **arguments)


def test_results_of_one_name_in_two_folders_are_told_apart(own, results, tmp_path):
    shutil.copytree(results, tmp_path / "copy")
    both = read_results(results, tmp_path / "copy")
    assert len(both) == 2 * len(read_results(results)) == 2 * (len(FILES) + 1)
    assert f"xvlm-shapes [{tmp_path / 'copy'}]" in str(both)
    assert len(set(both.table().checkpoint)) == 2 and both.complete
