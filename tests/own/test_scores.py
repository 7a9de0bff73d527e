"""What is scored on own data, and how, by literal examples."""

import json

import pytest

from harness.errors import DataError
from harness.formats.own.folder import OwnFolder
from harness.registry import find_task
from harness.task import load_samples


def load(tmp_path, kind, *lines, answers=None):
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    if answers is not None:
        (tmp_path / "answers").write_text(answers)
    path = tmp_path / "answers" if answers is not None else None
    data = OwnFolder(tmp_path, "own", tmp_path / "own.jsonl", path)
    return find_task(f"own-{kind}"), load_samples(find_task(f"own-{kind}"), data, "own")


def asked(*answers):
    return {"image": "a.jpg", "question": "what?", "answers": list(answers)}


def test_questions_are_scored_by_their_number_of_answers(tmp_path):
    lines = [
        asked("dog"),
        asked("couch", "sofa"),
        asked(*["red"] * 3, "blue", "green", "pink"),
        asked(*["yes"] * 9, "no"),
    ]
    task, samples = load(tmp_path, "vqa", *lines)
    scores = task.score(samples, {1: "The dog.", 2: "sofa", 3: "blue", 4: "yes"})
    assert scores.by_sample["accuracy"] == [100.0, 100.0, 50.0, 100.0]
    assert scores.metrics["accuracy"] == 87.5
    assert scores.breakdown["scorer"]["any-true-answer"] == 100.0
    wrong = task.score(samples, {1: "cat", 2: "bench", 3: "white", 4: "no"})
    assert wrong.by_sample["accuracy"] == [0.0, 0.0, 0.0, 30.0]
    assert any("4 to 9 different answers" in caveat for caveat in scores.caveats)


def test_the_candidates_are_the_true_answers_or_a_list(tmp_path):
    _, samples = load(tmp_path, "vqa", asked("dog"), asked("cat", "dog "))
    assert samples[0].choices == ("dog", "cat")
    for answers in ("red\n\nblue\n", '["red", "blue"]'):
        task, samples = load(tmp_path, "vqa", asked("dog"), asked("Red"), answers=answers)
        assert samples[0].choices == ("red", "blue")
        (caveat,) = task.score(samples, {1: "red", 2: "red"}).caveats
        assert caveat.startswith("1 of 2 questions have no true answer among the 2 candidates")
    with pytest.raises(
        DataError, match="all of its true answers are 'dog', which leaves no choice"
    ):
        load(tmp_path, "vqa", asked("dog"), asked("dog"))
    with pytest.raises(DataError, match="has the answer 'red' twice"):
        load(tmp_path, "vqa", asked("dog"), answers="red\nblue\nred\n")


def test_answers_in_free_words_were_not_chosen_among_candidates(tmp_path):
    task, samples = load(tmp_path, "vqa", asked("dog"), asked("cat"))
    (caveat,) = task.score(samples, {1: "dog", 2: ""}).caveats  # the second one was skipped
    assert caveat.startswith("the candidates are the 2 true answers of this file")
    assert task.score(samples, {1: "dog", 2: "a small cat"}).caveats == []
    task, samples = load(tmp_path, "vqa", asked("dog"), asked("cat"), answers="dog\nred\n")
    assert task.score(samples, {1: "dog", 2: "a cat"}).caveats == []


def test_statements_have_a_consistency_where_they_have_groups(tmp_path):
    line = {"images": ["a.jpg", "b.jpg"], "statement": "Two dogs.", "label": True}
    task, samples = load(tmp_path, "nlvr2", line, line)
    scores = task.score(samples, {1: True, 2: False})
    assert dict(scores.metrics) == {"accuracy": 50.0} and "consistency" in scores.not_run
    task, samples = load(tmp_path, "nlvr2", *[line | {"group": group} for group in (1, 1, 2)])
    scores = task.score(samples, {1: True, 2: False, 3: True})
    assert scores.metrics["accuracy"] == pytest.approx(200 / 3)
    assert scores.metrics["consistency"] == 50.0
    with pytest.raises(DataError, match="line 2: has no 'group', but others have"):
        load(tmp_path, "nlvr2", line | {"group": 1}, line)


def test_a_gallery_needs_captions(tmp_path):
    with pytest.raises(DataError, match="has no 'captions' to retrieve"):
        load(tmp_path, "retrieval", {"image": "a.jpg"})
    _, samples = load(tmp_path, "retrieval", {"image": "x/a.jpg", "captions": ["a", "b"]})
    assert [(sample.id, sample.captions) for sample in samples] == [("x/a.jpg", ("a", "b"))]


def test_images_without_captions_are_captioned_only(tmp_path):
    task, samples = load(tmp_path, "caption", {"image": "a.jpg"}, {"image": "b.jpg"})
    scores = task.score(samples, {"a.jpg": "a dog", "b.jpg": "a cat"})
    assert dict(scores.metrics) == {} and "have no 'captions'" in scores.not_run["cider"]
    assert task.export(samples, {"a.jpg": "a dog", "b.jpg": "a cat"}) == [
        {"id": "a.jpg", "caption": "a dog"},
        {"id": "b.jpg", "caption": "a cat"},
    ]


def predictions(tmp_path, content):
    path = tmp_path / "predictions"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("grounding", '{"id": 1, "box": [1, 2, 10, 20]}', {1: [0.3, 0.3, 0.5, 0.5]}),
        ("grounding", '{"id": 1, "box_xyxy": [1, 2, 11, 22]}', {1: [0.3, 0.3, 0.5, 0.5]}),
        ("vqa", '[{"id": 1, "answer": "never a candidate"}]', {1: "never a candidate"}),
        ("caption", '{"id": "a.jpg", "caption": "a dog"}', {"a.jpg": "a dog"}),
        ("nlvr2", '{"id": 1, "label": "False"}', {1: False}),
    ],
)
def test_predictions_of_other_programs_are_read(tmp_path, kind, content, expected):
    lines = {
        "grounding": {"image": "a.jpg", "expression": "a", "width": 20, "height": 40},
        "vqa": asked("dog", "cat"),
        "caption": {"image": "a.jpg"},
        "nlvr2": {"images": ["a", "b"], "statement": "a"},
    }
    task, samples = load(tmp_path, kind, lines[kind])
    found = task.official_predictions(samples, predictions(tmp_path, content))
    for id, value in expected.items():
        assert found[id] == (pytest.approx(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1}', "should have either 'box' or 'box_xyxy'"),
        ('{"id": 2, "box": [1, 2, 3, 4]}', "1 ids are missing, e.g. 1; 1 ids belong to no sample"),
        ('{"id": 1, "box": [1, 2, -3, 4]}', "without any area"),
        ('{"id": 1, "bbox": [1, 2, 3, 4]}', "has the unknown key 'bbox'; did you mean box"),
        ('{"id": 1, "box": [1, 2, 3]}', "line 1 (id 1): box should have 4 items"),
        ("[]", "has no prediction"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(tmp_path, content, message):
    line = {"image": "a.jpg", "expression": "a", "width": 20, "height": 40}
    task, samples = load(tmp_path, "grounding", line)
    with pytest.raises(DataError) as refused:
        task.official_predictions(samples, predictions(tmp_path, content))
    assert message in str(refused.value)


def pointed(box, expression="the dog", **more):
    size = {"width": 200, "height": 100}
    return {"image": "a.jpg", "expression": expression, "box": box, **size, **more}


def test_boxes_in_fractions_are_refused_in_annotations_and_in_predictions(tmp_path):
    with pytest.raises(DataError, match=r"line 1.*\[0.1, 0.2, 0.3, 0.4\].*boxes are in pixels"):
        load(tmp_path, "grounding", pointed([0.1, 0.2, 0.3, 0.4]), pointed([0, 0, 1, 1]))
    task, samples = load(tmp_path, "grounding", pointed([20, 20, 60, 40]), pointed([0, 0, 1, 1]))
    predictions = tmp_path / "predictions.jsonl"
    lines = [{"id": id, "box": [0.1, 0.2, 0.3, 0.4]} for id in (1, 2)]
    predictions.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(DataError, match=r"line 1.*all others lie in 0\.\.1 too"):
        task.official_predictions(samples, predictions)


@pytest.mark.parametrize(
    ("box", "name"),
    [([80, 20, 140, 60], "left, top, right, bottom"), ([110, 40, 60, 40], "centre and size")],
)
def test_boxes_that_score_in_another_layout_are_said_to(tmp_path, box, name):
    task, samples = load(tmp_path, "grounding", pointed([80, 20, 60, 40]))
    predictions = tmp_path / "predictions.jsonl"
    predictions.write_text(json.dumps({"id": 1, "box": box}))
    scores = task.score(samples, task.official_predictions(samples, predictions))
    assert scores.metrics["accuracy"] == 0.0
    assert any(f"read as {name}" in caveat for caveat in scores.caveats)
