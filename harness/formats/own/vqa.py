"""VQA's official files as rows of own data: questions, and the answers of another file.

Format: visualqa.org; VQA v1, VQA-CP, OK-VQA and others come in it too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from harness.errors import DataError
from harness.files.parsing import Int64, convert

Rows = list[tuple[str, Mapping[str, Any]]]


class _Question(Struct):
    question_id: Int64 | str
    question: str
    image_id: Int64 | str | UnsetType = UNSET
    image: str | None = None


class _Answer(Struct):
    answer: str


class _Annotation(Struct):
    question_id: Int64 | str
    answers: list[_Answer]


class _Questions(Struct):
    questions: list[_Question]
    data_subtype: str | None = None


class _Annotations(Struct):
    annotations: list[_Annotation]


@dataclass(frozen=True)
class Document:
    """A JSON file of questions, of their answers, or of both."""

    path: Path
    content: Mapping[str, Any]

    @property
    def has_questions(self) -> bool:
        """Whether it holds questions."""
        return "questions" in self.content

    @property
    def has_answers(self) -> bool:
        """Whether it holds answers."""
        return "annotations" in self.content


def is_vqa(content: Any) -> bool:
    """Return whether a JSON document is laid out as VQA's questions, or as their answers."""
    return isinstance(content, dict) and any(
        isinstance(content.get(key), list) for key in ("questions", "annotations")
    )


def vqa_rows(documents: Sequence[Document], *, kind: str) -> Rows:
    """Return the rows of questions, in order, each with its answers if a document has them.

    Raises DataError for a kind other than `vqa`, for answers without their question, a question
    that occurs twice, and a wrong type.
    """
    first = documents[0].path
    if kind != "vqa":
        raise DataError(
            f"{first}: is in the format of VQA's questions and answers, which has nothing for "
            f"{kind}; write one JSON object per line (docs/own-data.md)"
        )
    questions = [document for document in documents if document.has_questions]
    if not questions:
        raise DataError(
            f"{first}: holds answers without their questions; name the file of the questions as "
            "well: --annotations QUESTIONS --annotations ANSWERS"
        )
    answers = _answers([document for document in documents if document.has_answers])
    rows: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for document in questions:
        parsed = convert(document.content, _Questions, where=str(document.path))
        for index, question in enumerate(parsed.questions):
            where = f"{document.path}: questions[{index}] (id {question.question_id})"
            key = str(question.question_id)
            if key in rows:
                raise DataError(f"{where}: occurs twice, first in {rows[key][0]}")
            image = question.image or _image_name(question.image_id, parsed.data_subtype, where)
            values: dict[str, Any] = {
                "id": question.question_id,
                "image": image,
                "question": question.question,
            }
            if key in answers:
                values["answers"] = answers[key][1]
            rows[key] = where, values
    if unknown := next((where for key, (where, _) in answers.items() if key not in rows), None):
        named = ", ".join(str(document.path) for document in questions)
        raise DataError(f"{unknown}: has no question in {named}")
    return list(rows.values())


def _answers(documents: Sequence[Document]) -> Mapping[str, tuple[str, list[str]]]:
    """Return where the answers of a question stand, and their texts, by its id as text."""
    answers: dict[str, tuple[str, list[str]]] = {}
    for document in documents:
        parsed = convert(document.content, _Annotations, where=str(document.path))
        for index, entry in enumerate(parsed.annotations):
            where = f"{document.path}: annotations[{index}] (id {entry.question_id})"
            key = str(entry.question_id)
            if key in answers:
                raise DataError(f"{where}: occurs twice, first in {answers[key][0]}")
            answers[key] = where, [answer.answer for answer in entry.answers]
    return answers


def _image_name(id: int | str | UnsetType, subset: str | None, where: str) -> str:
    """Return the file name of an image of COCO by its number, e.g. COCO_val2014_000000000042.jpg.

    Raises DataError where the files name neither an image nor a subset of COCO.
    """
    if isinstance(id, int) and subset:
        return f"COCO_{subset}_{id:012d}.jpg"
    raise DataError(
        f"{where}: has no 'image', the name of its file; only with an 'image_id' and the file's "
        "'data_subtype', such as val2014, it is COCO's"
    )
