"""Read VQA v2: the original questions and annotations, X-VLM's flat lists, and its list of answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.files.parsing import Item, items, read_json
from harness.formats.folder import relative_path_within

Answers = tuple[
    Mapping[str, object], ...
]  # what people said: `answer`, `answer_confidence`, `answer_id` each


@dataclass(frozen=True)
class AskedQuestion:
    """A question about a COCO image; `answers` and types are empty where they are hidden (test) or not told (flat lists)."""

    question_id: int
    image_id: int
    text: str
    answers: Answers = ()
    answer_type: str = ""
    question_type: str = ""


def read_questions(questions: Path, annotations: Path | None) -> list[AskedQuestion]:
    """Return the questions of an original file, joined with the annotations where there are any, in the annotations' order.

    Raises DataError for a question without annotation or the other way round.
    """
    file = Item(read_json(questions), str(questions))
    asked: dict[int, AskedQuestion] = {}
    for entry in file.items("questions"):
        number = entry.get("question_id", int)
        if number in asked:
            raise DataError(f"{entry.where}: question_id {number} occurs twice")
        asked[number] = AskedQuestion(
            number, entry.get("image_id", int), entry.get("question", str)
        )
    if annotations is None:
        return list(asked.values())
    return _joined(asked, Item(read_json(annotations), str(annotations)), questions)


def _joined(asked: Mapping[int, AskedQuestion], file: Item, questions: Path) -> list[AskedQuestion]:
    found: dict[int, AskedQuestion] = {}
    for entry in file.items("annotations"):
        number = entry.get("question_id", int)
        if number not in asked:
            raise DataError(f"{entry.where}: question_id {number} is not in {questions}")
        if number in found:
            raise DataError(f"{entry.where}: question_id {number} occurs twice")
        if entry.get("image_id", int) != asked[number].image_id:
            raise DataError(
                f"{entry.where}: question_id {number} is about another image than in {questions}"
            )
        said = []
        for answer in entry.items("answers"):
            answer.get("answer", str)
            said.append(answer.value)
        found[number] = AskedQuestion(
            number,
            asked[number].image_id,
            asked[number].text,
            tuple(said),
            entry.get("answer_type", str),
            entry.get("question_type", str),
        )
    if missing := asked.keys() - found.keys():
        raise DataError(
            f"{file.where}: {len(missing)} questions of {questions} have no annotation, e.g. {min(missing)}"
        )
    return list(found.values())


def read_answer_list(path: Path) -> tuple[str, ...]:
    """Return the answers that a model may give, a JSON list of strings. Raises DataError where one is there twice."""
    content = read_json(path)
    if (
        not isinstance(content, list)
        or not content
        or not all(isinstance(answer, str) and answer for answer in content)
    ):
        raise DataError(f"{path}: should be a list of answers, each a string")
    if len(set(content)) != len(content):
        raise DataError(f"{path}: names an answer twice")
    return tuple(content)


def read_flat_questions(path: Path) -> list[tuple[str, AskedQuestion]]:
    """Return (image file, question) of a flat list; its ten answers have no types, and ids by their place."""
    found: dict[int, tuple[str, AskedQuestion]] = {}
    for entry in items(read_json(path), str(path)):
        number = entry.get("question_id", int)
        if number in found:
            raise DataError(f"{entry.where}: question_id {number} occurs twice")
        said = entry.texts("answer") if "answer" in entry.value else ()
        answers = tuple(
            {"answer": text, "answer_confidence": "yes", "answer_id": place}
            for place, text in enumerate(said, start=1)
        )
        image = relative_path_within(entry.get("image", str), where=entry.where)
        found[number] = image, AskedQuestion(number, 0, entry.get("question", str), answers)
    return list(found.values())
