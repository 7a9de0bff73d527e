"""VQAv2: answer questions about images with one of 3,128 answers.

Data: visualqa.org (Goyal et al. 2017, arXiv 1612.00837). Protocol: X-VLM ranks a fixed list of answers (`VQA.py`, `k_test` 128); accuracy
by the official scorer of VQA v2. The answers of test are hidden: EvalAI scores a file with all 447,793 of its questions, for test-dev too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.capabilities import Answerer
from harness.errors import DataError
from harness.formats.coco import coco_images
from harness.formats.folder import DataFolder, Needed, path_within
from harness.formats.submissions import match_predictions, read_answers
from harness.formats.vqa import Answers, read_answer_list, read_flat_questions, read_questions
from harness.metrics.vqa import SCORERS
from harness.statistics.means import mean_of
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task
from harness.workload import Workload

SHORTLIST = 128  # `k_test`: answers read to the end, those with the likeliest first words
IMAGE_FOLDER = {"val": "val2014", "test-dev": "test2015", "test": "test2015"}
PLACES = ("vqa/", "VQAv2/", "data/finetune/", "finetune/", "")
VQA = "https://visualqa.org/download.html"
ANSWERS = Needed(
    tuple(f"{place}answer_list.json" for place in PLACES),
    "the list of 3,128 answers that X-VLM chooses from",
    "the link in X-VLM's README (its data.tar)",
)


def _questions(original: str, flat: str) -> Needed:
    names = tuple(f"{place}v2_OpenEnded_mscoco_{original}_questions.json" for place in PLACES)
    return Needed(names + tuple(f"{place}{flat}" for place in PLACES), "the questions", VQA)


QUESTIONS = {
    "val": _questions("val2014", "vqa_val.json"),
    "test-dev": _questions("test2015", "vqa_test.json"),
    "test": _questions("test2015", "vqa_test.json"),
}
ANNOTATIONS = Needed(
    tuple(f"{place}v2_mscoco_val2014_annotations.json" for place in PLACES),
    "the answers of ten people",
    VQA,
    substitutes=tuple(
        f"{place}vqa_val.json" for place in PLACES
    ),  # X-VLM's list of questions holds them
    required_with=tuple(f"{place}v2_OpenEnded_mscoco_val2014_questions.json" for place in PLACES),
)


@dataclass(frozen=True)
class Question(Sample):
    """A question, what ten people answered, and the answers to choose from (one list for all); its id is the dataset's `question_id`."""

    text: str
    said: Answers
    answer_type: str
    question_type: str
    choices: tuple[str, ...]


class VQAv2(Task):
    """Visual question answering, one sample a question."""

    name: ClassVar[str] = "vqav2"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("val", "test-dev", "test")
    hidden: ClassVar[frozenset[str]] = frozenset({"test-dev", "test"})
    server: ClassVar[str] = (
        "https://eval.ai/web/challenges/challenge-page/830 (VQA Challenge 2021; the phase of the split)"
    )
    primary: ClassVar[str] = "accuracy"
    needs: ClassVar[type] = Answerer
    protocol: ClassVar[str] = f"official-scorer|answer-list|k={SHORTLIST}"

    def files(self, split: str) -> Sequence[Needed]:
        """Name the questions, the answers of people (val), the answers to choose from and the images."""
        annotations = (ANNOTATIONS,) if split == "val" else ()
        return (QUESTIONS[split], *annotations, ANSWERS, coco_images(IMAGE_FOLDER[split]))

    def load(self, data: DataFolder, split: str) -> Sequence[Question]:
        """Read the questions of a split; of test for test-dev too, as the server wants them all."""
        path, folder = data.path(QUESTIONS[split]), IMAGE_FOLDER[split]
        if path.name.startswith("v2_"):
            annotations = data.path(ANNOTATIONS) if split == "val" else None
            asked = [
                (f"COCO_{folder}_{q.image_id:012d}.jpg", q)
                for q in read_questions(path, annotations)
            ]
        else:
            asked = [
                (image.rsplit("/", 1)[-1], question)
                for image, question in read_flat_questions(path)
            ]
        choices, images = (
            read_answer_list(data.path(ANSWERS)),
            data.expected_path(coco_images(folder)),
        )
        return [
            Question(
                id=question.question_id,
                images=(
                    path_within(images, image, where=f"{path}, question {question.question_id}"),
                ),
                text=question.text,
                said=question.answers,
                answer_type=question.answer_type,
                question_type=question.question_type,
                choices=choices,
            )
            for image, question in asked
        ]

    def workload(self, samples: Sequence[Question]) -> Workload:
        """Every question looks at its image, and is looked at by the likeliest answers."""
        return super().workload(samples)._replace(choices=samples[0].choices, shortlist=SHORTLIST)

    def counts(self, samples: Sequence[Question]) -> Mapping[str, int]:
        """Count what people answered, and the answers to choose from, too."""
        said = sum(len(sample.said) for sample in samples)
        return {**super().counts(samples), "answers": said, "choices": len(samples[0].choices)}

    def texts(self, sample: Question) -> Sequence[str]:
        """Return the question."""
        return (sample.text,)

    def predict(self, model: Answerer, batch: Batch) -> Sequence[Prediction]:
        """Return an answer to each question, in words."""
        choices = batch.samples[0].choices
        texts = [question.text for question in batch.samples]
        best = model.answer(
            batch.images, texts, batch.image_of[:, 0], answers=choices, shortlist=SHORTLIST
        )
        return [choices[answer] for answer in best]

    def submission(
        self, samples: Sequence[Question], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Prediction]]:
        """Return what EvalAI wants to be uploaded."""
        return [
            {"question_id": sample.id, "answer": _answer(predictions[sample.id], sample.id)}
            for sample in samples
        ]

    def fallback_prediction(self, sample: Question) -> Prediction:
        """Return an answer that nobody gives."""
        return ""

    def score(
        self, samples: Sequence[Question], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the official accuracy, by type of answer and of question, and what two other scorers in circulation make of it."""
        said = {sample.id: _answer(predictions[sample.id], sample.id) for sample in samples}
        values = {
            name: [100 * scorer(said[s.id], s.said) for s in samples]
            for name, scorer in SCORERS.items()
        }
        official, images = values["official"], [str(sample.images[0]) for sample in samples]
        parts = _parts(samples)
        metrics = {
            name: _mean([official[place] for place in places]) for name, places in parts.items()
        }
        statistics = {
            name: mean_of(
                [official[place] for place in places], clusters=[images[place] for place in places]
            )
            for name, places in parts.items()
        }
        return Scores(
            metrics,
            statistics,
            {"accuracy": official},
            breakdown={
                "question_type": _by(official, [sample.question_type for sample in samples]),
                "scorer": {name: _mean(accuracies) for name, accuracies in values.items()},
            },
        )

    def score_official(self, samples: Sequence[Question], path: Path) -> Scores:
        """Score VQA's results: a JSON list of `question_id` and `answer`."""
        return self.score(
            samples, match_predictions(path, read_answers(path), [sample.id for sample in samples])
        )


def _answer(prediction: Prediction, question_id: SampleId) -> str:
    if not isinstance(prediction, str):
        raise DataError(
            f"the prediction for question {question_id} should be a text, but is {prediction!r}"
        )
    return prediction


def _parts(samples: Sequence[Question]) -> dict[str, list[int]]:
    """Return the places of the questions that each metric is about: all, and those of each type of answer, in order of name."""
    kinds = sorted({sample.answer_type for sample in samples} - {""})
    of_kind = {
        kind: [place for place, sample in enumerate(samples) if sample.answer_type == kind]
        for kind in kinds
    }
    return {"accuracy": list(range(len(samples)))} | {
        f"accuracy_{kind.replace('/', '_')}": places for kind, places in of_kind.items()
    }


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise DataError("no question to score")
    return sum(values) / len(values)


def _by(values: Sequence[float], kinds: Sequence[str]) -> dict[str, float]:
    """Return the mean of each kind, in order of name; nothing where kinds are not told."""
    found: dict[str, list[float]] = {}
    for value, kind in zip(values, kinds, strict=True):
        found.setdefault(kind, []).append(value)
    return {kind: _mean(found[kind]) for kind in sorted(found) if kind}
