"""Own data through the verbs: run, resume, table, check, score, data."""

import json
import shutil

import pytest

from harness.cli.main import main
from harness.formats.folder import sha256_of
from tests.own.conftest import COUNT, FILES, flags, run
from tests.support.record_fields import undocumented, undocumented_scores
from tests.support.results import contents

METRICS = {"grounding": "accuracy", "vqa": "accuracy", "retrieval": "mean", "nlvr2": "accuracy"}


def record(out, name):
    return json.loads((out / "xvlm-shapes" / f"{name}.json").read_text())


@pytest.mark.parametrize("kind", FILES)
def test_a_record_names_the_data_by_name_and_hash_and_no_path(own, results, kind):
    name = FILES[kind]
    found = record(results, f"own-{kind}.{name}")
    assert (found["task"], found["split"]) == (f"own-{kind}", name)
    file = own / f"{name}.jsonl"
    assert found["data"]["name"] == name and found["data"]["images"] == "photos"
    assert found["data"]["files"] == {file.name: sha256_of(file)}
    assert found["n"] == COUNT and found["metrics"][METRICS[kind]] >= 50.0
    assert str(own) not in json.dumps(found)


@pytest.mark.parametrize("kind", FILES)
def test_every_field_and_metric_of_a_record_is_documented(results, kind):
    found = record(results, f"own-{kind}.{FILES[kind]}")
    assert undocumented(found) == set()
    assert undocumented_scores(
        found["task"], metrics=found["metrics"], breakdown=found["breakdown"]
    ) == (set(), set())


def test_one_true_answer_counts_fully_and_the_protocol_says_how(results):
    found = record(results, "own-vqa.questions")
    assert found["protocol"].startswith(
        "official-scorer|below-10-answers:min(1,n/ceil(0.3m))|true-answers|k=128|"
    )
    assert found["metrics"]["accuracy"] == found["breakdown"]["scorer"]["any-true-answer"] > 0


def test_candidate_answers_are_in_the_protocol_and_in_the_hashes(own, tmp_path, capsys):
    answers = tmp_path / "list.txt"
    answers.write_text("red\nnever said\n")
    assert run(own, "vqa", tmp_path, None, "--answers", str(answers)) == 0
    found = record(tmp_path, "own-vqa.questions")
    assert "|answer-list|" in found["protocol"]
    assert found["data"]["files"]["list.txt"] == sha256_of(answers)
    assert "questions have no true answer among the 2 candidates" in capsys.readouterr().err


def test_own_data_stands_in_the_table_of_all(own, results, capsys):
    assert main(["table", str(results), "--layout", "all"]) == 0
    shown = capsys.readouterr().out
    for name in ("boxes", "hidden", "questions", "captions", "pairs"):
        assert f"{name} {sha256_of(own / f'{name}.jsonl')[:8]}" in shown
    (row,) = [line for line in shown.splitlines() if " hidden " in line]
    assert row.endswith("not run")
    assert main(["table", str(results)]) == 0
    assert "which `xvlm-eval table --layout all` shows" in capsys.readouterr().err


def test_without_truths_the_predictions_are_handed_over_and_can_be_scored_later(
    own, results, capsys, tmp_path
):
    found = record(results, "own-grounding.hidden")
    assert found["metrics"] == {} and "have no 'box'" in found["not_run"]["accuracy"]
    export = results / "xvlm-shapes" / "own-grounding.hidden.export.jsonl"
    score = ["score", *flags(own, "grounding"), "--predictions", str(export)]
    keep = ["--out", str(tmp_path), "--checkpoint", "later", "--format", "json"]
    assert main([*score, *keep]) == 0
    scored = json.loads(capsys.readouterr().out)
    expected = record(results, "own-grounding.boxes")["metrics"]
    assert scored["metrics"] == expected and scored["data"] == "boxes"
    kept = json.loads((tmp_path / "later" / "own-grounding.boxes.json").read_text())
    assert kept["metrics"] == expected


@pytest.mark.parametrize("kind", FILES)
def test_results_are_checked_and_scored_anew(own, results, kind, capsys, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    check = ["check", str(copy), "--baseline", str(results)]
    assert main([*check, "--rescore", *flags(own, kind)[2:]]) == 0
    assert f"only results on the own data '{FILES[kind]}'" in capsys.readouterr().err
    path = copy / "xvlm-shapes" / f"own-{kind}.{FILES[kind]}.json"
    changed = json.loads(path.read_text())
    changed["metrics"][METRICS[kind]] -= 10.0
    path.write_text(json.dumps(changed))
    assert main([*check, "--rescore", *flags(own, kind)[2:]]) == 1
    assert "when scored anew" in capsys.readouterr().out


def test_another_file_of_the_same_name_is_not_scored_anew(own, results, tmp_path, capsys):
    shutil.copytree(results, tmp_path / "results")
    shutil.copy(own / "hidden.jsonl", tmp_path / "boxes.jsonl")
    check = ["check", str(tmp_path / "results"), "--baseline", str(results), "--rescore"]
    assert main([*check, "--annotations", str(tmp_path / "boxes.jsonl")]) == 1
    assert "give those of the run as --annotations" in capsys.readouterr().out


def test_the_same_file_by_another_name_is_that_of_the_run(own, results, tmp_path, capsys):
    moved = tmp_path / "moved.jsonl"
    shutil.copy(own / "boxes.jsonl", moved)
    named = ["--annotations", str(moved), "--images", str(own / "photos"), "--data-name", "boxes"]
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    assert main(["check", str(copy), "--baseline", str(results), "--rescore", *named]) == 0
    capsys.readouterr()
    for path in (copy / "xvlm-shapes").iterdir():
        if not path.name.startswith("own-grounding.boxes."):
            path.unlink()
    assert main(["show", str(copy), *named[:4], "--format", "json"]) == 0
    assert "other annotation files" not in capsys.readouterr().err
    stored = results / "xvlm-shapes" / "own-grounding.boxes.predictions.jsonl"
    score = ["score", "--task", "grounding", "--predictions", str(stored), *named]
    assert main([*score, "--out", str(tmp_path / "out")]) == 0
    assert "other annotation files" not in capsys.readouterr().err
    kept = json.loads((tmp_path / "out" / "xvlm-shapes" / "own-grounding.boxes.json").read_text())
    before = record(results, "own-grounding.boxes")
    assert kept["metrics"] == before["metrics"]
    data = {key: before["data"][key] for key in ("name", "sha256", "files")}
    assert kept["data"] == data and list(data["files"]) == ["boxes.jsonl"]


@pytest.fixture
def copied(own, tmp_path):
    shutil.copytree(own, tmp_path / "own")
    return tmp_path / "own"


def begun(results, tmp_path):
    """Results of grounding, half of whose predictions are still to be made."""
    out = tmp_path / "out"
    (out / "xvlm-shapes").mkdir(parents=True)
    name = "own-grounding.boxes.predictions.jsonl"
    lines = (results / "xvlm-shapes" / name).read_text().splitlines(keepends=True)
    (out / "xvlm-shapes" / name).write_text("".join(lines[: 1 + COUNT // 2]))
    return out


def test_a_run_continues_to_the_same_bytes(own, results, tmp_path, capsys):
    out = begun(results, tmp_path)
    assert run(own, "grounding", out) == 0
    assert f"{COUNT // 2} were predicted before" in capsys.readouterr().err
    expected = contents(results, "own-grounding.boxes")
    assert contents(out) == expected and len(expected) == 4


def test_a_run_does_not_continue_on_changed_annotations(copied, results, tmp_path, capsys):
    out = begun(results, tmp_path)
    file = copied / "boxes.jsonl"
    file.write_text(file.read_text() + "\n")
    assert run(copied, "grounding", out) == 4
    shown = capsys.readouterr().err
    assert "belongs to another run" in shown and "data.files.boxes.jsonl" in shown


def test_a_run_does_not_continue_on_changed_images(copied, results, tmp_path, capsys):
    out = begun(results, tmp_path)
    path = (
        copied / "photos" / json.loads((copied / "boxes.jsonl").read_text().split("\n")[0])["image"]
    )
    path.write_bytes(path.read_bytes() + b"\0")
    assert run(copied, "grounding", out) == 4
    assert "were made from other inputs" in capsys.readouterr().err


def test_names_of_data_tell_files_apart(own, results, tmp_path):
    assert run(own, "nlvr2", tmp_path, None, "--data-name", "second", "--limit", "3") == 0
    found = record(tmp_path, "own-nlvr2.second.limit-3")
    assert found["data"]["name"] == "second" and found["subset"] == {"limit": 3, "total": COUNT}


def test_a_plan_predicts_nothing(own, tmp_path, capsys):
    assert run(own, "vqa", tmp_path, None, "--plan") == 0
    assert "own-vqa" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_data_says_whether_a_file_is_right(own, copied, capsys):
    assert main(["data", *flags(own, "grounding"), "--verify"]) == 0
    assert "everything is present, and every image fits" in capsys.readouterr().out
    (path, *_) = sorted((copied / "photos").rglob("*.jpg"))
    path.unlink()
    file = copied / "boxes.jsonl"
    file.write_text(file.read_text().replace('"expression"', '"text"', 1))
    assert main(["data", *flags(copied, "grounding")]) == 3
    assert "line 1" in (shown := capsys.readouterr().out) and "unknown key 'text'" in shown


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["run", "--task", "grounding"], 2, "name it by --annotations FILE --images DIR"),
        (["run", "--task", "own-vqa"], 2, "name it by --annotations FILE --images DIR"),
        (["run", "--task", "grouding", "--annotations", "x"], 2, "did you mean grounding?"),
        (["run", "--task", "vqa,nlvr2", "--annotations", "x"], 2, "--task is one of grounding"),
        (["run", "--annotations", "x"], 2, "--task is one of grounding"),
        (["run", "--task", "vqa", "--annotations", "x", "--split", "val"], 2, "has no splits"),
        (["run", "--task", "vqav2", "--images", "photos"], 2, "neither strict nor as-reference"),
        (["run", "--task", "vqav2", "--answers", "x"], 2, "add --annotations FILE"),
        (["run", "--task", "vqa", "--annotations", "x", "--data-name", "a/b"], 2, "--data-name"),
        (["run", "--task", "vqa", "--annotations", "x", "--data-name", "shapes"], 2, "another"),
        (["data", "--task", "vqa", "--annotations", "x", "--images", "y"], 3, "no such folder"),
        (["score", "--task", "vqav2", "--predictions", "x"], 2, "--split is needed"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_refused(command, code, message, capsys):
    weights = ["--checkpoint", "xvlm-shapes"] if command[0] == "run" else []
    assert main([*command, *weights]) == code
    assert message in capsys.readouterr().err


def test_questions_without_answers_need_candidates(own, tmp_path, capsys):
    (tmp_path / "q.jsonl").write_text('{"image": "1.jpg", "question": "what?"}')
    asked = ["data", "--task", "vqa", "--annotations", str(tmp_path / "q.jsonl")]
    assert main(asked) == 3
    assert "--answers FILE" in capsys.readouterr().out
