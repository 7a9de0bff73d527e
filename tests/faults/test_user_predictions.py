"""Predictions as users have them: scored as the official code scores them, or refused by id."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from harness.cli.main import main
from harness.errors import DataError
from harness.formats.submissions import read_labels
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.faults.scoring import scored
from tests.support import refcoco_files
from tests.support.tampered import COMMITTED


def boxes(box_of):
    samples = find_task("refcoco+").load(embedded_data(), "val")
    return json.dumps([{"sent_id": s.id, "pred": box_of(s)} for s in samples])


def centred(s):
    x, y, w, h = s.box
    return [(x + w / 2) / s.width, (y + h / 2) / s.height, w / s.width, h / s.height]


def corners(s):
    x, y, w, h = s.box
    return [x / s.width, y / s.height, (x + w) / s.width, (y + h) / s.height]


@pytest.mark.parametrize(
    ("box_of", "problem"),
    [
        (lambda s: list(s.box), "lies far outside of its image: [14.0, 63.0, 56.0, 52.0]"),
        (lambda s: [1000 * value for value in centred(s)], "lies far outside of its image"),
        (lambda s: [100 * value for value in corners(s)], "lies far outside of its image"),
        (lambda s: [*centred(s)[:2], -0.1, 0.1], "has a negative size"),
        (lambda s: [*centred(s)[:3], -1e-9], "has a negative size"),
    ],
)
def test_boxes_in_another_unit_are_refused_by_their_id(tmp_path, capsys, box_of, problem):
    (tmp_path / "boxes.json").write_text(boxes(box_of))
    code, _, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert code == 3 and f"the box for sent_id 0 {problem}" in shown


def test_boxes_that_look_like_corners_are_scored_and_said(tmp_path, capsys):
    (tmp_path / "boxes.json").write_text(boxes(corners))
    code, answer, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert code == 0 and "boxes reach out of their images" in shown and answer["caveats"]
    (tmp_path / "boxes.json").write_text(boxes(centred))
    code, answer, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert answer["metrics"]["accuracy"] == 100.0 and shown == "" and "caveats" not in answer


@pytest.mark.parametrize(
    ("box_of", "name"),
    [
        (corners, "two corners (x1, y1, x2, y2)"),
        (lambda s: [*corners(s)[:2], *centred(s)[2:]], "corner and size (x, y, w, h)"),
    ],
)
def test_boxes_that_score_in_another_layout_are_said_to(tmp_path, capsys, box_of, name):
    (tmp_path / "boxes.json").write_text(boxes(box_of))
    code, answer, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert code == 0 and answer["metrics"]["accuracy"] < 5
    assert f"read as {name}, the boxes would score 100.00 instead of" in shown


@pytest.mark.parametrize(("scale", "shift"), [(10.0, -15.0), (1e300, 1.0), (0.001, 1.5)])
def test_scores_that_the_official_evaluator_clips_are_said_to_be(tmp_path, capsys, scale, shift):
    samples = find_task("ovad").load(embedded_data(), "box")
    right = np.array([sample.labels for sample in samples]) == 1
    np.save(tmp_path / "logits.npy", scale * right + shift)
    code, answer, shown = scored(capsys, "ovad", "box", tmp_path / "logits.npy")
    assert code == 0 and answer["metrics"]["map"] < 25
    assert "scores lie outside of 0..1" in shown and "map would be 100.00 instead of" in shown
    stored = COMMITTED / "ovad.box.predictions.jsonl.gz"  # cosines, some of them below 0
    assert "caveats" not in scored(capsys, "ovad", "box", stored)[1]


@pytest.mark.parametrize(("people", "accuracy"), [(2, 100 / 3), (3, 200 / 3), (4, 100.0)])
def test_questions_with_few_answers_count_as_officially_and_it_is_said(
    tmp_path, capsys, people, accuracy
):
    (tmp_path / "answer_list.json").write_text('["yes", "no"]')
    entry = {"question_id": 5, "question": "?", "image": "1.jpg", "answer": ["yes"] * people}
    (tmp_path / "vqa_val.json").write_text(json.dumps([entry]))
    (tmp_path / "results.json").write_text('[{"question_id": 5, "answer": "yes"}]')
    more = ("--data", str(tmp_path))
    code, answer, shown = scored(capsys, "vqav2", "val", tmp_path / "results.json", *more)
    assert code == 0 and answer["metrics"]["accuracy"] == pytest.approx(accuracy)
    assert (f"question 5 has {people}): the official accuracy" in shown) == (people < 4)


def test_questions_with_one_answer_are_refused_instead_of_scored_as_wrong(tmp_path, capsys):
    (tmp_path / "answer_list.json").write_text('["yes", "no"]')
    entry = {"question": "?", "image": "1.jpg"}
    entries = [
        {**entry, "question_id": 5, "answer": ["yes"]},
        {**entry, "question_id": 6, "answer": ["yes"] * 10},
    ]
    (tmp_path / "vqa_val.json").write_text(json.dumps(entries))
    results = tmp_path / "results.json"
    results.write_text('[{"question_id": 5, "answer": "yes"}, {"question_id": 6, "answer": "yes"}]')
    flags = ["--split", "val", "--predictions", str(results), "--data", str(tmp_path)]
    code = main(["score", "--task", "vqav2", *flags])
    shown = capsys.readouterr().err
    assert code == 3 and "1 of 2 questions have a single answer (e.g. question 5)" in shown
    assert "--task vqa --annotations FILE" in shown


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,True\nb, True\n", "line 2: should be .* without blanks, which the official scorer"),
        ("a,True \nb,True\n", "line 1: should be .* without blanks"),
        ("identifier,prediction\na,True\n", "line 1: should be .*, without a header line"),
        ("a,True\n\nb,True\n", "line 2: should be"),
        ('"a",True,' + "x" * 200_000 + "\nb", "line 2: should be"),
    ],
)
def test_labels_that_the_official_scorer_reads_otherwise_are_refused(tmp_path, content, problem):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(DataError, match=problem) as caught:
        read_labels(tmp_path / "p.csv")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_blank_last_lines_and_further_columns_of_labels_are_no_labels(tmp_path, mark):
    (tmp_path / "p.csv").write_bytes(mark + b"a,True,0.9\r\nb,false\r\n\r\n \r\n")
    assert read_labels(tmp_path / "p.csv") == [("a", True), ("b", False)]


@pytest.mark.parametrize("as_other", [gzip.compress, lambda b: b"\xef\xbb\xbf" + b])
def test_score_reads_gzip_and_a_byte_order_mark(tmp_path, capsys, as_other):
    (tmp_path / "boxes").write_bytes(as_other(boxes(centred).encode()))
    code, answer, _ = scored(capsys, "refcoco+", "val", tmp_path / "boxes")
    assert code == 0 and answer["metrics"]["accuracy"] == 100.0


def test_score_reads_a_byte_order_mark_before_the_predictions_of_a_run(tmp_path, capsys):
    ours = gzip.decompress((COMMITTED / "nlvr2.dev.predictions.jsonl.gz").read_bytes())
    (tmp_path / "ours.jsonl").write_bytes(b"\xef\xbb\xbf" + ours)
    code, answer, _ = scored(capsys, "nlvr2", "dev", tmp_path / "ours.jsonl")
    record = json.loads((COMMITTED / "nlvr2.dev.json").read_text())
    assert code == 0 and answer["metrics"] == record["metrics"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "is an HTML page"),
        (b"", "is empty"),
        (b"PAR1", "is a parquet table"),
    ],
)
@pytest.mark.parametrize("task", ["refcoco+", "vqav2", "nlvr2", "coco-retrieval", "ovad"])
def test_score_says_what_a_file_is_instead(tmp_path, capsys, content, problem, task):
    (tmp_path / "file").write_bytes(content)
    split = {"coco-retrieval": "test", "ovad": "box", "nlvr2": "dev"}.get(task, "val")
    code, _, shown = scored(capsys, task, split, tmp_path / "file")
    if (content, task) == (b"", "nlvr2"):  # a file of no lines
        problem = "160 ids are missing"
    assert code == 3 and f"file: {problem}" in shown


def test_an_error_shows_no_more_than_a_few_lines_of_a_file(tmp_path, capsys):
    refcoco_files.write(tmp_path)
    content = json.dumps([{"ref_id": 0, "text": "x", "image": "y" * 90_000}])
    (tmp_path / "refcoco+_val.json").write_text(content)
    (tmp_path / "boxes.json").write_text("[]")
    more = ("--data", str(tmp_path))
    code, _, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json", *more)
    assert code == 3 and "item 0: names the image 'yyy" in shown and len(shown) < 1200


def test_official_labels_beside_a_flat_list_are_said_to_need_the_original(tmp_path, capsys):
    entry = {"sentence": "two", "label": "True", "images": ["a.png", "b.png"]}
    (tmp_path / "nlvr_dev.json").write_text(json.dumps([entry]))
    (tmp_path / "p.csv").write_text("dev-0-0-0,True\n")
    more = ("--data", str(tmp_path))
    code, _, shown = scored(capsys, "nlvr2", "dev", tmp_path / "p.csv", *more)
    assert code == 3 and "which X-VLM's flat list lacks" in shown
    (tmp_path / "p.csv").write_text("0,True\n")
    assert scored(capsys, "nlvr2", "dev", tmp_path / "p.csv", *more)[0] == 0


def test_a_box_without_any_attribute_is_scored_alone():
    """`--limit` may draw such boxes only: they have a chance level, and no precision."""
    ovad = find_task("ovad")
    first = ovad.load(embedded_data(), "box")[0]
    lacking = replace(first, labels=[min(label, 0) for label in first.labels])
    scores = ovad.score([lacking], {first.id: [-1.0] * len(first.labels)})
    assert scores.metrics.keys() == {"chance", "chance_head", "chance_medium", "chance_tail"}
