"""VQAv2: answer questions about images with one of 3,128 answers.

Data: visualqa.org. Protocol: X-VLM ranks a fixed list of answers (`VQA.py`, `k_test` 128); a model
may also generate its answers, which is another protocol. Accuracy by the official scorer of VQA v2.
The answers of test are hidden: EvalAI scores a file with all 447,793 of its questions, for test-dev
too.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Answerer, AnswerGenerator, Model, shortlist_of
from harness.dataset import Dataset
from harness.errors import DataError, ModelError
from harness.formats.coco import coco_images
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.submissions import match_predictions, read_answers
from harness.formats.vqa import (
    AnsweredQuestion,
    Answers,
    VQAQuestion,
    read_answer_list,
    read_flat_questions,
    read_questions,
)
from harness.metrics.vqa import official
from harness.sample_view import Details, Item, SampleView
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task, samples_of_columns
from harness.workload import Workload
from tasks.vqav2_files import ANNOTATIONS, ANSWERS, DATASET, IMAGE_FOLDER, QUESTIONS
from tasks.vqav2_scoring import answer_of, score_answers

SHORTLIST = 128  # `k_test`: the answers with the likeliest first tokens are ranked in full


@dataclass(frozen=True, slots=True)
class Question(Sample):
    """A question; its id is the dataset's `question_id`.

    `answers` are those of ten people (none where they are hidden), `choices` the answers to choose
    from, one list for all questions. `image` is the name of its image in X-VLM's lists.
    """

    text: str
    image: str
    answers: Answers
    answer_type: str
    question_type: str
    choices: tuple[str, ...]


class VQAv2(Task[Question, Answerer | AnswerGenerator]):
    """Visual question answering, one sample per question."""

    name: ClassVar[str] = "vqav2"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("val", "test-dev", "test")
    hidden: ClassVar[frozenset[str]] = frozenset({"test-dev", "test"})
    server: ClassVar[str] = (
        "https://eval.ai/web/challenges/challenge-page/830 "
        "(VQA Challenge 2021; the phase of the split)"
    )
    primary: ClassVar[str] = "accuracy"
    server_metrics: ClassVar[tuple[str, ...]] = (
        "accuracy_number",
        "accuracy_other",
        "accuracy_yes_no",
    )
    needs: ClassVar[tuple[type, ...]] = (Answerer, AnswerGenerator)
    protocol: ClassVar[str] = f"official-scorer|answer-list|k={SHORTLIST}"
    scorer: ClassVar[str] = "official-scorer"
    dataset: ClassVar[Dataset] = DATASET

    def files(self, split: str) -> Sequence[Needed]:
        """Name the questions, the annotations (val), the list of answers and the images."""
        annotations = (ANNOTATIONS,) if split == "val" else ()
        return (QUESTIONS[split], *annotations, ANSWERS, coco_images(IMAGE_FOLDER[split]))

    def load(self, data: DataFolder, split: str) -> Sequence[Question]:
        """Read the questions of a split; for test-dev those of test, since the server wants all."""
        path, folder = data.path(QUESTIONS[split]), IMAGE_FOLDER[split]
        images = image_folder(data, coco_images(folder))
        questions: Sequence[VQAQuestion | AnsweredQuestion]
        if path.name.startswith("v2_"):
            questions = read_questions(path, data.path(ANNOTATIONS) if split == "val" else None)
            names = _names(questions, folder)
        else:
            names, questions = map(list, zip(*read_flat_questions(path), strict=True))
        choices = read_answer_list(data.path(ANSWERS))
        # By the name of an image: its questions share its path and its full name.
        views: dict[str, tuple[Path]] = {}
        full_names: dict[str, str] = {}
        for name, question in zip(names, questions, strict=True):
            if name not in views:
                where = f"{path}, question {question.question_id}"
                views[name] = (images.image(name, where=where),)
                full_names[name] = images.full_name(name)
        columns: dict[str, Iterable[Any]] = dict(
            # As numbers, from which the samples make ids of their own: between ids that stay, the
            # ids of images would leave holes that nothing else fits.
            id=array("q", [question.question_id for question in questions]),
            images=[views[name] for name in names],
            text=[question.text for question in questions],
            image=[full_names[name] for name in names],
            answers=[question.answers for question in questions],
            answer_type=[question.answer_type for question in questions],
            question_type=[question.question_type for question in questions],
            choices=repeat(choices),
        )
        del questions  # the samples take their memory
        samples = samples_of_columns(Question, **columns)
        _refuse_single_answers(path, samples)
        return samples

    def workload(self, samples: Sequence[Question]) -> Workload:
        """Add the list of answers and how many of them are ranked in full for each question."""
        return super().workload(samples)._replace(choices=samples[0].choices, shortlist=SHORTLIST)

    def counts(self, samples: Sequence[Question]) -> Mapping[str, int]:
        """Add the number of people's answers, and of answers to choose from."""
        return {
            **super().counts(samples),
            "answers": sum(len(sample.answers) for sample in samples),
            "choices": len(samples[0].choices),
        }

    def flat_lists(self, samples: Mapping[str, Sequence[Question]]) -> Mapping[str, Any]:
        """Return `vqa_val.json` and `vqa_test.json`; test-dev and test hold the same questions."""
        names = {"val": "vqa_val.json", "test-dev": "vqa_test.json", "test": "vqa_test.json"}
        return {names[split]: list(map(_flat, questions)) for split, questions in samples.items()}

    def texts(self, sample: Question) -> Sequence[str]:
        """Return the question."""
        return (sample.text,)

    def view(self, sample: Question, prediction: Prediction) -> SampleView:
        """Add the answers of people: how many people gave each, and its accuracy."""
        counts = Counter(str(answer["answer"]) for answer in sample.answers)
        answers = tuple(
            Item(text if number == 1 else f"{text} ({number} people)", 100 * accuracy, accuracy > 0)
            for text, number in counts.most_common()
            for accuracy in [official(text, sample.answers)]
        )
        types = {"answer": sample.answer_type, "question": sample.question_type}
        return replace(
            super().view(sample, prediction),
            truth=counts.most_common(1)[0][0] if counts else None,
            details=(Details(f"Answers of {len(sample.answers)} people", answers),)
            if answers
            else (),
            types=tuple(f"{kind}: {name}" for kind, name in types.items() if name),
        )

    def protocol_of(self, model: Model) -> str:
        """Return the protocol of a record: ranked out of the list, or generated."""
        answers = "generated"
        if isinstance(model, Answerer):
            answers = f"answer-list|k={_shortlist_of(model)}"
        return f"{self.scorer}|{answers}|{model.protocol}"

    def predict(
        self, model: Answerer | AnswerGenerator, batch: Batch[Question]
    ) -> Sequence[Prediction]:
        """Return the answer to each question, as text: one of the choices, or a generated one.

        Raises ModelError for an index that is none of a choice.
        """
        choices = batch.samples[0].choices
        texts = [question.text for question in batch.samples]
        image_of = batch.image_of[:, 0]
        if not isinstance(model, Answerer):
            return list(model.generate_answers(batch.images, texts, image_of))
        indices = model.answer(
            batch.images, texts, image_of, answers=choices, shortlist=_shortlist_of(model)
        )
        for index in indices:
            if not 0 <= index < len(choices):  # -1 would be the last answer
                raise ModelError(
                    f"{self.name}: the model answers with the index {index}, but the answers to "
                    f"choose from are 0 to {len(choices) - 1}"
                )
        return [choices[index] for index in indices]

    def submission(
        self, samples: Sequence[Question], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Prediction]]:
        """Return the list to upload to EvalAI."""
        return [
            {"question_id": sample.id, "answer": answer_of(predictions[sample.id], sample.id)}
            for sample in samples
        ]

    def fallback_prediction(self, sample: Question) -> Prediction:
        """Return the empty answer, which nobody gave."""
        return ""

    def score(
        self, samples: Sequence[Question], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the official accuracy: overall, by type of answer, and by type of question.

        `breakdown` also holds the accuracies of two other scorers in circulation.
        """
        answers = [answer_of(predictions[sample.id], sample.id) for sample in samples]
        return score_answers(samples, answers)

    def score_official(self, samples: Sequence[Question], path: Path) -> Scores:
        """Score VQA's results: a JSON list of `question_id` and `answer`."""
        return self.score(samples, self.official_predictions(samples, path))

    def official_predictions(
        self, samples: Sequence[Question], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the predictions of such a file."""
        return match_predictions(path, read_answers(path), [sample.id for sample in samples])


def _names(questions: Iterable[VQAQuestion | AnsweredQuestion], folder: str) -> list[str]:
    """Return the name of the image of each question of COCO, one text for each image."""
    ids = [question.image_id for question in questions]
    names = {id: f"COCO_{folder}_{id:012d}.jpg" for id in dict.fromkeys(ids)}
    return [names[id] for id in ids]


def _flat(question: Question) -> Mapping[str, Any]:
    """Return the entry of a question in X-VLM's list, without answers where they are hidden."""
    answers = [answer["answer"] for answer in question.answers]
    return {
        "question_id": question.id,
        "question": question.text,
        **({"answer": answers} if answers else {}),
        "image": question.image,
        "dataset": "vqa",
    }


def _refuse_single_answers(path: Path, questions: Sequence[Question]) -> None:
    """Raise DataError for a question with one answer, which the official accuracy never counts."""
    single = [question for question in questions if len(question.answers) == 1]
    if single:
        raise DataError(
            f"{path}: {len(single):,} of {len(questions):,} questions have a single answer (e.g. "
            f"question {single[0].id}), and VQA v2's accuracy compares each answer with "
            "those of the other people, so even the right one counts 0; "
            "`--task vqa --annotations FILE` scores such questions (docs/own-data.md)"
        )


def _shortlist_of(model: Model) -> int:
    return shortlist_of(model, "answers", default=SHORTLIST)
