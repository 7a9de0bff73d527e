"""How VQAv2's answers are scored: overall, by types of answers and questions, with caveats."""

from collections.abc import Sequence
from typing import Protocol

from harness.errors import DataError
from harness.formats.vqa import Answers
from harness.images import View
from harness.metrics.vqa import ENOUGH, SCORERS
from harness.statistics.means import means_of_parts
from harness.task import Prediction, SampleId, Scores


class Answered(Protocol):
    """A question with the answers of people."""

    @property
    def id(self) -> SampleId: ...
    @property
    def images(self) -> tuple[View, ...]: ...
    @property
    def answers(self) -> Answers: ...
    @property
    def answer_type(self) -> str: ...
    @property
    def question_type(self) -> str: ...


def answer_of(prediction: Prediction, question_id: SampleId) -> str:
    """Return a predicted answer. Raises DataError for anything but a text."""
    if not isinstance(prediction, str):
        raise DataError(
            f"the prediction for question {question_id} should be a text, but is {prediction!r}"
        )
    return prediction


def score_answers(samples: Sequence[Answered], answers: Sequence[str]) -> Scores:
    """Return the official accuracy of one answer a question: overall, by type of answer.

    `breakdown` holds the accuracy by type of question, and by two other scorers in circulation.
    """
    accuracies = {
        name: [
            100 * scorer(answer, sample.answers)
            for answer, sample in zip(answers, samples, strict=True)
        ]
        for name, scorer in SCORERS.items()
    }
    official, images = accuracies["official"], [str(sample.images[0]) for sample in samples]
    subsets = _subsets(samples)
    metrics = {
        name: _mean([official[index] for index in indices]) for name, indices in subsets.items()
    }
    return Scores(
        metrics,
        means_of_parts(official, clusters=images, parts=subsets),
        {"accuracy": official},
        breakdown={
            "question_type": _by_type(official, [sample.question_type for sample in samples]),
            "scorer": {name: _mean(values) for name, values in accuracies.items()},
        },
        caveats=_caveats(samples),
    )


def _caveats(samples: Sequence[Answered]) -> list[str]:
    """Return what the official accuracy does to questions with few answers.

    It compares each answer with the others: full accuracy takes three others that agree.
    """
    few = [sample for sample in samples if len(sample.answers) <= ENOUGH]
    if not few:
        return []
    return [
        f"{len(few):,} of {len(samples):,} questions have {ENOUGH} answers or fewer (question "
        f"{few[0].id} has {len(few[0].answers)}): the official accuracy compares every answer "
        "with the others, so the right answer of two people counts a third, of three "
        "two thirds; repeat an answer ten times to count it fully"
    ]


def _subsets(samples: Sequence[Answered]) -> dict[str, list[int]]:
    """Return the indices of the samples behind each metric: all, then each type of answer."""
    types = sorted({sample.answer_type for sample in samples} - {""})
    by_type = {
        f"accuracy_{answer_type.replace('/', '_')}": [
            index for index, sample in enumerate(samples) if sample.answer_type == answer_type
        ]
        for answer_type in types
    }
    return {"accuracy": list(range(len(samples))), **by_type}


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise DataError("no question to score")
    return sum(values) / len(values)


def _by_type(values: Sequence[float], types: Sequence[str]) -> dict[str, float]:
    """Return the mean of each type, in order of name; none where the types are not known."""
    grouped: dict[str, list[float]] = {}
    for value, name in zip(values, types, strict=True):
        grouped.setdefault(name, []).append(value)
    return {name: _mean(grouped[name]) for name in sorted(grouped) if name}
