"""Own data in several files: VQA's questions and answers, and entries that follow one another."""

import json

import pytest

from harness.callbacks import no_progress
from harness.cli.main import main
from harness.data.own import own_files
from harness.errors import DataError, UsageError
from harness.formats.folder import digest_of_files, sha256_of
from harness.formats.own.entries import read_captioned, read_entries
from harness.formats.own.kinds import QuestionEntry, RegionEntry
from harness.formats.own.rows import read_rows
from harness.formats.same_files import are_files_of
from tests.own.conftest import run

QUESTIONS = {
    "data_type": "mscoco",
    "data_subtype": "val2014",
    "questions": [
        {"image_id": 42, "question": "Which colour?", "question_id": 420},
        {"image_id": 42, "question": "How many?", "question_id": 421},
    ],
}
ANSWERS = {
    "annotations": [
        {"question_id": 421, "image_id": 42, "answers": [{"answer": "two", "answer_id": 1}]},
        {
            "question_id": 420,
            "image_id": 42,
            "answers": [{"answer": "red", "answer_id": 1}, {"answer": "pink", "answer_id": 2}],
        },
    ]
}


@pytest.fixture
def vqa(tmp_path):
    """The paths of VQA's questions and answers, and a function that writes others."""

    def write(questions=QUESTIONS, answers=ANSWERS):
        paths = tmp_path / "questions.json", tmp_path / "answers.json"
        for path, content in zip(paths, (questions, answers), strict=True):
            path.write_text(json.dumps(content))
        return paths

    return write


@pytest.mark.parametrize("turned", [False, True], ids=["questions first", "answers first"])
def test_questions_have_the_answers_of_the_other_file(vqa, turned):
    first, second = reversed(vqa()) if turned else vqa()
    entries = read_entries(first, QuestionEntry, kind="vqa", truth="answers", more=(second,))
    assert [(e.id, e.entry.image, e.entry.question, e.entry.answers) for e in entries.located] == [
        (420, "COCO_val2014_000000000042.jpg", "Which colour?", ["red", "pink"]),
        (421, "COCO_val2014_000000000042.jpg", "How many?", ["two"]),
    ]


def test_questions_and_answers_may_stand_in_one_file(vqa):
    path, _ = vqa({**QUESTIONS, **ANSWERS})
    entries = read_entries(path, QuestionEntry, kind="vqa", truth="answers")
    assert [each.entry.answers for each in entries.located] == [["red", "pink"], ["two"]]
    assert entries.truths


def test_questions_alone_are_predicted_and_not_scored(vqa):
    entries = read_entries(vqa()[0], QuestionEntry, kind="vqa", truth="answers")
    assert [each.id for each in entries.located] == [420, 421]
    assert not entries.truths


def changed(content, key, index, **values):
    """Return a copy of a document in which one item has other values; None removes one."""
    items = [dict(item) for item in content[key]]
    items[index] = {k: v for k, v in {**items[index], **values}.items() if v is not None}
    return {**content, key: items}


@pytest.mark.parametrize(
    ("questions", "answers", "message"),
    [
        (
            QUESTIONS,
            changed(ANSWERS, "annotations", 0, question_id=7),
            r"answers.json: annotations\[0\] \(id 7\): has no question in .*questions.json",
        ),
        (
            QUESTIONS,
            changed(ANSWERS, "annotations", 0, question_id=420),
            r"answers.json: annotations\[1\] \(id 420\): occurs twice, first in .*\[0\]",
        ),
        (
            changed(QUESTIONS, "questions", 0, question_id=421),
            ANSWERS,
            r"questions.json: questions\[1\] \(id 421\): occurs twice, first in .*\[0\]",
        ),
        (
            {**QUESTIONS, "data_subtype": None},
            ANSWERS,
            r"questions\[0\] \(id 420\): has no 'image', the name of its file",
        ),
        (
            changed(QUESTIONS, "questions", 0, question=None),
            ANSWERS,
            r"questions.json: questions\[0\].*question",
        ),
        (
            QUESTIONS,
            {"annotations": ANSWERS["annotations"][:1]},
            r"has no 'answers', like 1 of 2 annotations",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name_and_item(vqa, questions, answers, message):
    first, second = vqa(questions, answers)
    with pytest.raises(DataError, match=message):
        read_entries(first, QuestionEntry, kind="vqa", truth="answers", more=(second,))


def test_answers_without_their_questions_say_what_is_missing(vqa):
    with pytest.raises(DataError, match="--annotations QUESTIONS --annotations ANSWERS"):
        read_rows(vqa()[1], kind="vqa")


def test_vqa_files_are_refused_for_another_kind(vqa):
    with pytest.raises(DataError, match="nothing for grounding; write one JSON object per line"):
        read_rows(vqa()[0], kind="grounding")


def test_entries_of_several_files_follow_one_another(tmp_path):
    boxes = '{"image": "a.jpg", "expression": "a cup", "box": [0, 0, 2, 2]}\n'
    first, second = tmp_path / "a.jsonl", tmp_path / "b.csv"
    first.write_text(boxes * 2)
    second.write_text("image,expression,box\nb.jpg,a dog,1 1 3 3\n")
    entries = read_entries(first, RegionEntry, kind="grounding", truth="box", more=(second,))
    assert [(each.id, each.entry.image) for each in entries.located] == [
        (1, "a.jpg"),
        (2, "a.jpg"),
        (3, "b.jpg"),
    ]
    second.write_text("id,image,expression,box\n7,b.jpg,a dog,1 1 3 3\n")
    with pytest.raises(DataError, match=r"a.jsonl, line 1: has no 'id', but others have"):
        read_entries(first, RegionEntry, kind="grounding", truth="box", more=(second,))
    second.write_text("image,expression,box\n")
    with pytest.raises(DataError, match=r"b.csv: has no annotation"):
        read_entries(first, RegionEntry, kind="grounding", truth="box", more=(second,))


def test_captions_of_one_image_may_stand_in_several_files(tmp_path):
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    for path, caption in zip(paths, ("a dog", "an animal"), strict=True):
        path.write_text(json.dumps({"image": "a.jpg", "caption": caption}))
    entries = read_captioned(paths[0], kind="caption", images=tmp_path, more=paths[1:])
    (entry,) = entries.located
    assert entry.entry.captions == ["a dog", "an animal"]


def test_a_file_that_is_named_twice_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"image": "a.jpg", "caption": "a dog"}')
    with pytest.raises(DataError, match=r"a.jsonl: is named twice"):
        read_captioned(path, kind="caption", images=tmp_path, more=(path,))


def test_a_run_on_several_files_is_that_of_one_file_and_names_their_hashes(
    own, results, tmp_path, capsys
):
    lines = (own / "questions.jsonl").read_text().splitlines(keepends=True)
    halves = tmp_path / "one" / "half.jsonl", tmp_path / "two" / "half.jsonl"
    for path, part in zip(halves, (lines[:2], lines[2:]), strict=True):
        path.parent.mkdir()
        path.write_text("".join(part))
    more = ["--annotations", str(halves[0]), "--annotations", str(halves[1])]
    flags = ["--task", "vqa", *more, "--images", str(own / "photos")]
    weights = ["--checkpoint", "xvlm-shapes", "--out", str(tmp_path / "out")]
    assert main(["run", *flags, *weights]) == 0
    stored = tmp_path / "out" / "xvlm-shapes"
    found = json.loads((stored / "own-vqa.half.json").read_text())
    whole = json.loads((results / "xvlm-shapes" / "own-vqa.questions.json").read_text())
    assert found["metrics"] == whole["metrics"] and found["n"] == whole["n"]
    assert found["data"]["files"] == {
        "half.jsonl": sha256_of(halves[0]),
        "2/half.jsonl": sha256_of(halves[1]),
    }
    shown = ["show", str(tmp_path / "out"), *more, "--images", str(own / "photos")]
    assert main([*shown, "--format", "json"]) == 0
    assert '"texts": [' in capsys.readouterr().out
    assert main(["show", str(tmp_path / "out"), *more[:2]]) == 0
    assert "other annotation files than those of the run (2/half.jsonl)" in capsys.readouterr().err


def test_files_in_another_order_are_other_data(tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text('{"image": "1.jpg", "question": "which is id 1?"}')
    second.write_text('{"image": "2.jpg", "question": "which is id 2?"}')
    a, b = sha256_of(first), sha256_of(second)
    files = own_files([str(first), str(second)], images=None, name="n", answers=None)
    assert files.open({}, progress=no_progress).fingerprint(()) == {"a.jsonl": a, "2/b.jsonl": b}
    files = own_files([str(second), str(first)], images=None, name="n", answers=None)
    assert files.open({}, progress=no_progress).fingerprint(()) == {"b.jsonl": b, "2/a.jsonl": a}
    data = {"files": {"a.jsonl": a, "2/b.jsonl": b}}
    data["sha256"] = digest_of_files(data["files"])
    assert not are_files_of(data, {"b.jsonl": b, "2/a.jsonl": a})
    assert are_files_of(data, {"b.jsonl": a, "2/a.jsonl": b})  # renamed


def test_every_missing_file_is_named(own, tmp_path, capsys):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert run(own, "vqa", tmp_path / "out", None, "--annotations", str(two)) == 3
    assert f"--annotations {two}: no such file" in capsys.readouterr().err
    flags = ["--task", "vqa", "--annotations", str(one), "--annotations", str(two)]
    assert main(["data", *flags]) == 3
    told = capsys.readouterr().err
    assert f"{one}: no such file" in told and f"{two}: no such file" in told


def test_a_benchmark_named_with_annotations_says_where_its_files_are_looked_for(own, capsys):
    flags = ["--annotations", str(own / "boxes.jsonl")]
    assert main(["run", "--task", "refcoco+", *flags]) == 2
    assert "xvlm-eval data --layout --task refcoco+" in capsys.readouterr().err


def test_from_python_annotations_are_a_path_or_a_list_of_paths(own, vqa):
    from harness import load_task

    task = load_task("vqa", annotations=list(vqa()), images=own / "photos")
    assert task.source.more == (vqa()[1],)
    with pytest.raises(UsageError, match="annotations should be a path or a list of paths"):
        load_task("vqa", annotations=[], images=own / "photos")
