"""Read VQA v2: the official questions and annotations, X-VLM's flat lists, and its answer list.

Formats: visualqa.org (`v2_*_questions.json`, `v2_*_annotations.json`) and zengyan-97/X-VLM
(`vqa_{val,test}.json`, `answer_list.json`).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

from harness.errors import DataError
from harness.files.parsing import Int64, NonEmptyList, decode_json, decode_json_list
from harness.files.reads import shared
from harness.formats.folder import relative_path_within

# The answers of ten annotators: `answer`, `answer_confidence` and `answer_id` each. The official
# scorer compares them as a whole, so every key of the file is kept.
Answers = tuple[Mapping[str, object], ...]


class VQAQuestion(Struct, frozen=True, gc=False):
    """A question about a COCO image, without answers: a file may hide them (test)."""

    question_id: Int64
    image_id: Int64
    text: str = field(name="question")

    answers: ClassVar[Answers] = ()
    answer_type: ClassVar[str] = ""
    question_type: ClassVar[str] = ""


class AnsweredQuestion(Struct, frozen=True, gc=False):
    """A question about a COCO image with people's answers; flat lists have no types."""

    question_id: int
    image_id: int
    text: str
    answers: Answers
    answer_type: str = ""
    question_type: str = ""


class _Questions(Struct):
    questions: NonEmptyList[VQAQuestion]


class _Annotation(Struct, gc=False):
    question_id: Int64
    image_id: Int64
    answer_type: str
    question_type: str
    answers: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1)]


class _Annotations(Struct):
    annotations: NonEmptyList[_Annotation]


class _FlatQuestion(Struct, gc=False):
    question_id: Int64
    question: str
    image: str
    answer: str | list[str] = []


@shared
def read_questions(
    questions: Path, annotations: Path | None
) -> Sequence[VQAQuestion] | Sequence[AnsweredQuestion]:
    """Return the questions of an official file, joined with their annotations if given.

    The order is that of the annotations, if given. Raises DataError for a question without an
    annotation and for an annotation without a question.
    """
    entries = decode_json(questions, _Questions).questions
    if len({entry.question_id for entry in entries}) < len(entries):
        seen: set[int] = set()
        for number, entry in enumerate(entries):
            if (id := entry.question_id) in seen:
                raise DataError(f"{questions}: questions[{number}]: question_id {id} occurs twice")
            seen.add(id)
    if annotations is None:
        return entries
    return _joined({entry.question_id: entry for entry in entries}, annotations, questions)


def _joined(
    questions: Mapping[int, VQAQuestion], path: Path, questions_path: Path
) -> list[AnsweredQuestion]:
    joined: dict[int, AnsweredQuestion] = {}
    for number, entry in enumerate(decode_json(path, _Annotations).annotations):
        id = entry.question_id
        question = questions.get(id)
        if question is None or id in joined or entry.image_id != question.image_id:
            problem = f"question_id {id} "
            if question is None:
                problem += f"is not in {questions_path}"
            elif id in joined:
                problem += "occurs twice"
            else:
                problem += (
                    f"has image {entry.image_id} here, "
                    f"but image {question.image_id} in {questions_path}"
                )
            raise DataError(f"{path}: annotations[{number}]: {problem}")
        for place, answer in enumerate(entry.answers):
            if type(answer.get("answer")) is not str:
                raise DataError(
                    f"{path}: annotations[{number}].answers[{place}] has no string 'answer'"
                )
        joined[id] = AnsweredQuestion(
            id,
            question.image_id,
            question.text,
            entry.answers,
            entry.answer_type,
            entry.question_type,
        )
    if missing := questions.keys() - joined.keys():
        raise DataError(
            f"{path}: {len(missing)} questions of {questions_path} have no annotation, "
            f"e.g. {min(missing)}"
        )
    return list(joined.values())


def read_answer_list(path: Path) -> tuple[str, ...]:
    """Return the candidate answers of a model, a JSON list of distinct non-empty strings."""
    answers = decode_json_list(path, str)
    if "" in answers:
        raise DataError(f"{path}, item {answers.index('')}: is an empty answer")
    if len(set(answers)) != len(answers):
        raise DataError(f"{path}: has an answer twice")
    return tuple(answers)


@shared
def read_flat_questions(path: Path) -> list[tuple[str, AnsweredQuestion]]:
    """Return (image file, question) of a flat list.

    Its answers have no types and no ids; they get the ids 1 to 10 in order.
    """

    @cache  # equal answers share one object: two million dictionaries would fill 400 MB
    def answer(text: str, answer_id: int) -> Mapping[str, object]:
        return {"answer": text, "answer_confidence": "yes", "answer_id": answer_id}

    questions: dict[int, tuple[str, AnsweredQuestion]] = {}
    for number, entry in enumerate(decode_json_list(path, _FlatQuestion)):
        id, where = entry.question_id, f"{path}, item {number}"
        if id in questions:
            raise DataError(f"{where}: question_id {id} occurs twice")
        texts = [entry.answer] if isinstance(entry.answer, str) else entry.answer
        answers = tuple(answer(text, number) for number, text in enumerate(texts, start=1))
        image = relative_path_within(entry.image, where=where)
        questions[id] = image, AnsweredQuestion(id, 0, entry.question, answers)
    return list(questions.values())
