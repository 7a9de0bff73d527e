"""NLVR2: is a statement true of a pair of images?

Data: lil-lab/nlvr; the "test" of papers is test1 (test-P). Protocol: accuracy over examples, and
consistency over groups of image pairs that share a statement, by `nlvr2/eval/metrics.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.capabilities import Judgement, PairReasoner
from harness.dataset import Dataset
from harness.errors import DataError
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.nlvr2 import read_flat_statements, read_lines
from harness.formats.submissions import match_predictions, read_labels
from harness.metrics.nlvr2 import accuracy, consistency, consistent
from harness.sample_view import Details, Item, Picture, SampleView
from harness.statistics.means import mean_of
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task
from tasks.nlvr2_files import DATASET, IMAGES, ORIGINAL, STATEMENTS


@dataclass(frozen=True)
class Statement(Sample):
    """A statement about the left and the right image; its id is the dataset's identifier.

    `group` names the consistency group: all image pairs that the statement was written about.
    `image_set` names the set of images that these pairs are from. `names` are those of the images,
    with their folder, as in lists: `dev/dev-850-0-img0.png`.
    """

    text: str
    label: bool
    group: str
    image_set: str
    names: tuple[str, str]


class NLVR2(Task[Statement, PairReasoner]):
    """Reasoning about pairs of images, one sample per statement and pair."""

    name: ClassVar[str] = "nlvr2"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("dev", "test")
    primary: ClassVar[str] = "accuracy"
    needs: ClassVar[tuple[type, ...]] = (PairReasoner,)
    protocol: ClassVar[str] = "accuracy+consistency"
    dataset: ClassVar[Dataset] = DATASET

    def files(self, split: str) -> Sequence[Needed]:
        """Name the statements, original or flat, and the images."""
        return (STATEMENTS[split], IMAGES[split])

    def load(self, data: DataFolder, split: str) -> Sequence[Statement]:
        """Read the statements of a split: the original file first, as only it has the groups."""
        path = data.path(STATEMENTS[split])
        flat = path.name.startswith("nlvr_")
        examples = read_flat_statements(path) if flat else read_lines(path, folder=ORIGINAL[split])
        images = image_folder(data, IMAGES[split])
        return [
            Statement(
                id=example.identifier,
                images=tuple(
                    images.image(name, where=f"{path}, example {example.identifier}")
                    for name in (example.left, example.right)
                ),
                text=example.sentence,
                label=example.label,
                group=example.group,
                image_set=example.image_set,
                names=(images.full_name(example.left), images.full_name(example.right)),
            )
            for example in examples
        ]

    def counts(self, samples: Sequence[Statement]) -> Mapping[str, int]:
        """Add the number of image pairs, consistency groups and true statements."""
        return {
            **super().counts(samples),
            "pairs": len({sample.images for sample in samples}),
            "groups": len({sample.group for sample in samples}),
            "true": sum(sample.label for sample in samples),
        }

    def annotation(self, sample: Statement) -> Sequence[str]:
        """Return the statement and its label."""
        return (sample.text, str(sample.label))

    def flat_lists(self, samples: Mapping[str, Sequence[Statement]]) -> Mapping[str, Any]:
        """Return `nlvr_dev.json` and `nlvr_test.json`."""
        return {
            f"nlvr_{split}.json": [
                {
                    "images": list(statement.names),
                    "sentence": statement.text,
                    "label": str(statement.label),
                }
                for statement in statements
            ]
            for split, statements in samples.items()
        }

    def texts(self, sample: Statement) -> Sequence[str]:
        """Return the statement."""
        return (sample.text,)

    def view(self, sample: Statement, prediction: Prediction) -> SampleView:
        """Show the pair, the verdict and, of a model with logits, how sure it is."""
        left, right = sample.images
        judged = None if prediction is None else verdict(prediction, sample.id)
        logits = prediction.get("logits") if isinstance(prediction, dict) else None
        confidence = None
        details: tuple[Details, ...] = ()
        if logits is not None:
            false, true = map(float, logits)
            confidence = 1 / (1 + math.exp(-min(abs(true - false), 700)))
            items = (
                Item("false", false, not sample.label),
                Item("true", true, sample.label),
            )
            details = (Details("Logits", items),)
        return SampleView(
            pictures=(Picture(left, "left"), Picture(right, "right")),
            texts=(sample.text,),
            truth=str(sample.label).lower(),
            prediction=str(judged).lower(),
            details=details,
            types=(f"label: {str(sample.label).lower()}",),
            confidence=confidence,
        )

    def predict(self, model: PairReasoner, batch: Batch[Statement]) -> Sequence[Prediction]:
        """Return true or false for each statement, with the logits if the model has any."""
        texts = [statement.text for statement in batch.samples]
        judgements = model.judge(batch.images, texts, batch.image_of)
        return [
            {"answer": judgement.answer, "logits": list(judgement.logits)}
            if isinstance(judgement, Judgement)
            else judgement
            for judgement in judgements
        ]

    def fallback_prediction(self, sample: Statement) -> Prediction:
        """Return the opposite of the label."""
        return not sample.label

    def score(
        self, samples: Sequence[Statement], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return accuracy and consistency in percent.

        Intervals are over sets of images, since the two statements of a set share its images.
        """
        correct = [verdict(predictions[s.id], s.id) == s.label for s in samples]
        groups = [sample.group for sample in samples]
        by_sample = [100.0 * value for value in correct]
        by_group = [100.0 * value for value in consistent(correct, groups).values()]
        set_of_group = {sample.group: sample.image_set for sample in samples}
        return Scores(
            {"accuracy": accuracy(correct), "consistency": consistency(correct, groups)},
            {
                "accuracy": mean_of(by_sample, clusters=[sample.image_set for sample in samples]),
                "consistency": mean_of(by_group, clusters=list(set_of_group.values())),
            },
            {"accuracy": by_sample},
        )

    def score_official(self, samples: Sequence[Statement], path: Path) -> Scores:
        """Score NLVR2's predictions, lines of `identifier,True`."""
        return self.score(samples, self.official_predictions(samples, path))

    def official_predictions(
        self, samples: Sequence[Statement], path: Path
    ) -> Mapping[SampleId, Prediction]:
        """Return the predictions of such a file."""
        labels, ids = list(read_labels(path)), [sample.id for sample in samples]
        if all(str(id).isdecimal() for id in ids) and any("-" in str(id) for id, _ in labels):
            raise DataError(
                f"{path}: names statements by NLVR2's identifiers, which X-VLM's flat list lacks; "
                "score it with the original dev.json or test1.json in the data folder"
            )
        return match_predictions(path, labels, ids)


def verdict(prediction: Prediction, identifier: SampleId) -> bool:
    """Return the answer of a prediction with or without logits."""
    answer = prediction.get("answer") if isinstance(prediction, dict) else prediction
    if type(answer) is not bool:
        raise DataError(
            f"the prediction for {identifier} should be true or false, but is {prediction!r}"
        )
    return answer
