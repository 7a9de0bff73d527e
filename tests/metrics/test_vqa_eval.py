"""VQA accuracy, against the official scorer and the two others in circulation."""

import pytest

from harness.metrics.vqa import (
    SCORERS,
    always_clean,
    any_number,
    bundled,
    clean,
    official,
    with_digits_and_without_articles,
    without_punctuation,
)

KIND = "vqa_eval"


def read(case, folder=""):
    annotations = case.json(f"{folder}annotations.json")["annotations"]
    results = {
        result["question_id"]: result["answer"] for result in case.json(f"{folder}results.json")
    }
    return [(entry, results[entry["question_id"]]) for entry in annotations]


def percent(scorer, entries):
    return [100 * scorer(answer, entry["answers"]) for entry, answer in entries]


def test_every_string_is_cleaned_as_officially(case):
    case.path_of("cleaning_expected.json")
    for entry in case.json("cleaning_expected.json"):
        assert without_punctuation(entry["in"]) == entry["punct"]
        assert with_digits_and_without_articles(entry["in"]) == entry["digit_article"]
        assert clean(entry["in"]) == entry["clean"]


def test_every_question_has_the_official_accuracy(case):
    entries, expected = read(case), case.json("expected.json")
    for (entry, _), value in zip(entries, percent(official, entries), strict=True):
        assert value == pytest.approx(
            expected["n10"]["perQuestion"][str(entry["question_id"])], abs=1e-9
        )


def test_the_means_are_the_official_ones(case):
    entries, expected = read(case), case.json("expected.json")["n10"]
    values = percent(official, entries)
    assert sum(values) / len(values) == pytest.approx(expected["overall"], abs=1e-9)
    for field, table in (("answer_type", "perAnswerType"), ("question_type", "perQuestionType")):
        for kind, mean in expected[table].items():
            mine = [
                value
                for (entry, _), value in zip(entries, values, strict=True)
                if entry[field] == kind
            ]
            assert sum(mine) / len(mine) == pytest.approx(mean, abs=1e-9)


def test_the_scorer_that_albef_and_x_vlm_carry_along(case):
    case.path_of("expected_albef_xvlm_variant.json")
    entries, expected = read(case), case.json("expected_albef_xvlm_variant.json")
    values = percent(bundled, entries)
    for (entry, _), value in zip(entries, values, strict=True):
        assert value == pytest.approx(expected["perQuestion"][str(entry["question_id"])], abs=0.005)
    assert sum(values) / len(values) == pytest.approx(expected["overall"], abs=0.006)


def test_always_cleaning_scores_no_less_where_all_people_said_the_same(case):
    for entry, answer in read(case):
        if len({human["answer"] for human in entry["answers"]}) == 1:
            assert always_clean(answer, entry["answers"]) >= official(answer, entry["answers"])


def test_where_python_versions_differ_it_is_python_3(case):
    case.path_of("divergence")
    entries = read(case, "divergence/")
    expected = case.json("divergence/expected_python3.json")
    for (entry, _), value in zip(entries, percent(official, entries), strict=True):
        assert value == pytest.approx(
            expected["n10"]["perQuestion"][str(entry["question_id"])], abs=1e-9
        )


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
@pytest.mark.parametrize("texts", ["aaaaaaaaaa", "aabbbbbbbb", "abcabcabca", "bbbbbbbbba", "aab"])
def test_answers_with_ids_score_as_by_comparing_them_as_a_whole(scorer, texts, monkeypatch):
    answers = [{"answer": text, "answer_id": number} for number, text in enumerate(texts)]
    by_id = [scorer(prediction, answers) for prediction in ("a", "b", "c", "d")]
    monkeypatch.setattr("harness.metrics.vqa._have_distinct_ids", lambda answers: False)
    assert [scorer(prediction, answers) for prediction in ("a", "b", "c", "d")] == by_id


@pytest.mark.parametrize("ids", [[1, 1, 1, 1], [None] * 4, [[1], [1], [1], [1]], [1, True, 1.0, 1]])
def test_equal_answers_are_left_out_together(ids):
    answers = [{"answer": "a", "answer_id": id} for id in ids]
    assert official("a", answers) == 0.0
    assert official("a", [{"answer": "a"} for _ in ids]) == 0.0


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("dog", ["dog"], 1.0),
        ("A dog.", ["Dog"], 1.0),  # the official scorer compares unanimous answers uncleaned
        ("two", ["2"], 1.0),
        ("cat", ["dog"], 0.0),
        ("sofa", ["couch", "sofa"], 1.0),
        ("sofa", ["couch", "sofa", "settee"], 1.0),
        ("sofa", ["couch", "sofa", "settee", "bench"], 1 / 2),
        ("sofa", ["couch", "sofa", "sofa", "bench"], 1.0),
        ("sofa", ["couch"] * 5 + ["sofa"], 1 / 2),
        ("sofa", ["couch"] * 6 + ["sofa"], 1 / 3),
        ("sofa", ["couch"] * 6 + ["sofa"] * 3, 1.0),
    ],
)
def test_fewer_than_ten_answers_need_the_same_share_of_votes(prediction, answers, expected):
    assert any_number(prediction, [{"answer": text} for text in answers]) == pytest.approx(expected)


@pytest.mark.parametrize("votes", range(11))
def test_ten_answers_or_more_are_scored_officially(votes):
    for count in (10, 12):
        texts = ["Red"] * votes + ["blue"] * (count - votes)
        answers = [{"answer": text, "answer_id": id} for id, text in enumerate(texts)]
        assert any_number("Red", answers) == official("Red", answers)
