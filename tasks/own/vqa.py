"""Questions about own images: VQA v2's protocol for any number of true answers a question."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Model
from harness.errors import DataError
from harness.files.kinds import read_text
from harness.files.validation_errors import show
from harness.formats.folder import DataFolder
from harness.formats.own.entries import Entries, read_entries
from harness.formats.own.folder import OwnFolder
from harness.formats.own.images import shown_images
from harness.formats.own.kinds import QuestionEntry
from harness.formats.own.predictions import read_answers
from harness.formats.submissions import match_predictions
from harness.formats.vqa import read_answer_list
from harness.metrics.vqa import ANNOTATORS, any_number, clean
from harness.statistics.means import mean_of
from harness.task import Prediction, SampleId, Scores
from tasks.own.data import OwnQuestions, own_folder
from tasks.vqav2 import SHORTLIST, Question, VQAv2

# With fewer than ten answers, the official rule at the same share of votes: see `any_number`.
RULE = "official-scorer|below-10-answers:min(1,n/ceil(0.3m))"


@dataclass(frozen=True)
class OwnQuestion(Question):
    """A question; `given`: its choices come from `--answers`, not from the true answers."""

    given: bool


class OwnVQA(OwnQuestions, VQAv2):
    """Question answering on own data, one sample per question."""

    name: ClassVar[str] = "own-vqa"
    version: ClassVar[int] = 1
    weights_of: ClassVar[str] = "vqav2"
    protocol: ClassVar[str] = f"{RULE}|k={SHORTLIST}"
    scorer: ClassVar[str] = RULE
    truth: ClassVar[str] = "answers"
    hidden: ClassVar[frozenset[str]] = frozenset()
    server: ClassVar[str] = ""
    server_metrics: ClassVar[tuple[str, ...]] = ()

    def load(self, data: DataFolder, split: str) -> Sequence[OwnQuestion]:
        """Read the questions, and the candidate answers: a list, else all true answers."""
        own = own_folder(data, self)
        entries = read_entries(
            own.annotations, QuestionEntry, kind="vqa", truth=self.truth, more=own.more
        )
        choices = _choices(own, entries)
        images = shown_images(((e.entry.image, e.where) for e in entries.located), own.root)
        return [
            OwnQuestion(
                id=each.id,
                images=(images[each.entry.image].view,),
                text=each.entry.question,
                image=each.entry.image,
                answers=tuple(
                    {"answer": text, "answer_id": number}
                    for number, text in enumerate(each.entry.true_answers(), start=1)
                ),
                answer_type="",
                question_type="",
                choices=choices,
                given=own.answers is not None,
            )
            for each in entries.located
        ]

    def protocol_for(self, model: Model, samples: Sequence[Any]) -> str:
        """Return the protocol of a record, with the origin of the candidate answers."""
        origin = "answer-list" if samples[0].given else "true-answers"
        return self.protocol_of(model).replace("|answer-list|", f"|{origin}|", 1)

    def score(self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]) -> Scores:
        """Return the accuracy by any number of true answers; none without them.

        `breakdown` has the share of predictions that equal any of the true answers, both cleaned.
        """
        if not samples[0].answers:
            return self.not_scored()
        accuracies, matches = [], []
        for sample in samples:
            prediction = predictions[sample.id]
            if not isinstance(prediction, str):
                raise DataError(
                    f"the prediction for question {sample.id} should be a text, "
                    f"but is {prediction!r}"
                )
            true = {clean(str(answer["answer"]).strip()) for answer in sample.answers}
            accuracies.append(100 * any_number(prediction, sample.answers))
            matches.append(100.0 * (clean(prediction.strip()) in true))
        images = [str(sample.images[0]) for sample in samples]
        return Scores(
            {"accuracy": sum(accuracies) / len(accuracies)},
            {"accuracy": mean_of(accuracies, clusters=images)},
            {"accuracy": accuracies},
            breakdown={"scorer": {"any-true-answer": sum(matches) / len(matches)}},
            caveats=_caveats(samples, predictions),
        )

    def export(
        self, samples: Sequence[Any], predictions: Mapping[SampleId, Prediction]
    ) -> Sequence[Mapping[str, Any]]:
        """Return answers by id."""
        return [{"id": sample.id, "answer": predictions[sample.id]} for sample in samples]

    def official_predictions(
        self, samples: Sequence[Any], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the answers of a file of `id` and `answer`; they need not be candidates."""
        return match_predictions(path, read_answers(path), [sample.id for sample in samples])


def _choices(own: OwnFolder, entries: Entries[QuestionEntry]) -> tuple[str, ...]:
    """Return the candidate answers: those of `--answers`, else all true answers, in order.

    Raises DataError where there are neither, or no two of them.
    """
    if own.answers is None:
        if not entries.truths:
            raise DataError(
                f"{own.annotations}: has no true answers, so the candidates to rank are not known; "
                "name a file of them by --answers FILE"
            )
        true = (text.strip() for each in entries.located for text in each.entry.true_answers())
        choices = tuple(dict.fromkeys(true))
        source = f"{own.annotations}: all of its true answers are"
    else:
        choices = _read_candidates(own.answers)
        source = f"{own.answers}: all of its answers are"
    if len(choices) < 2:
        raise DataError(
            f"{source} {show(choices[0])}, which leaves no choice; "
            "give more candidates by --answers FILE"
        )
    return choices


def _read_candidates(path: Path) -> tuple[str, ...]:
    """Return candidate answers: a JSON list, or one on each line."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        return read_answer_list(path)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(set(lines)) != len(lines):
        ((twice, _),) = Counter(lines).most_common(1)
        raise DataError(f"{path}: has the answer {twice!r} twice")
    return tuple(lines)


def _caveats(
    samples: Sequence[OwnQuestion], predictions: Mapping[SampleId, Prediction]
) -> list[str]:
    """Return how the candidates and the number of answers bear on the accuracy.

    Answers in free words, of which one is not a candidate, were not chosen among candidates.
    """
    caveats = []
    choices = samples[0].choices
    free = bool(set(predictions.values()) - {*choices, ""})  # "" stands for a skipped sample
    if not samples[0].given and not free:
        caveats.append(
            f"the candidates are the {len(choices):,} true answers of this file, which is easier "
            "than an open list; --answers FILE names others"
        )
    candidates = set(map(clean, choices))
    out_of_reach = sum(
        not any(clean(str(answer["answer"]).strip()) in candidates for answer in sample.answers)
        for sample in samples
    )
    if out_of_reach and not free:
        caveats.append(
            f"{out_of_reach:,} of {len(samples):,} questions have no true answer among the "
            f"{len(choices):,} candidates"
        )
    split_votes = sum(3 < len({str(a["answer"]) for a in s.answers}) < ANNOTATORS for s in samples)
    if split_votes:
        caveats.append(
            f"{split_votes:,} of {len(samples):,} questions have 4 to {ANNOTATORS - 1} different "
            "answers, which count as votes: one of them alone scores less than 100; breakdown "
            "`any-true-answer` counts each as right"
        )
    return caveats
