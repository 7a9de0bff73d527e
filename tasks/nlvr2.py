"""NLVR2: is a statement true of two images?

Data: lil-lab/nlvr (Suhr et al. 2019, arXiv 1811.00491); "test" of papers is test1, test-P. Protocol: accuracy over examples, and
consistency over groups of pairs with one statement, by `nlvr2/eval/metrics.py`. Images of the official package: `dev/*.png`, `test1/*.png`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from harness.capabilities import PairReasoner
from harness.errors import DataError
from harness.formats.folder import DataFolder, Needed, path_within
from harness.formats.nlvr2 import read_flat_statements, read_lines
from harness.formats.submissions import match_predictions, read_labels
from harness.metrics.nlvr2 import accuracy, consistency, consistent
from harness.statistics.means import mean_of
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task

ORIGINAL = {"dev": "dev", "test": "test1"}  # what the original calls a split
STATEMENTS = {
    split: Needed(
        tuple(f"{folder}/{original}.json" for folder in ("nlvr2", "nlvr2/data", "nlvr/nlvr2/data"))
        + tuple(
            f"{folder}nlvr_{split}.json" for folder in ("data/finetune/", "finetune/", "nlvr2/", "")
        ),
        "the statements, one a line, or X-VLM's list of them",
        "https://github.com/lil-lab/nlvr, folder nlvr2/data",
    )
    for split, original in ORIGINAL.items()
}
IMAGES = {
    split: Needed(
        tuple(f"{folder}/{original}" for folder in ("images/nlvr2", "nlvr2/images", "nlvr2")),
        f"the folder of NLVR2's {original} images",
        "the form linked at https://lil.nlp.cornell.edu/nlvr/ (answered by mail)",
        folder=True,
    )
    for split, original in ORIGINAL.items()
}


@dataclass(frozen=True)
class Statement(Sample):
    """A statement about the left and the right image; its id is the dataset's identifier."""

    text: str
    label: bool
    group: str


class NLVR2(Task):
    """Reasoning about pairs of images, one sample a statement about a pair."""

    name: ClassVar[str] = "nlvr2"
    version: ClassVar[int] = 1
    splits: ClassVar[tuple[str, ...]] = ("dev", "test")
    primary: ClassVar[str] = "accuracy"
    needs: ClassVar[type] = PairReasoner
    protocol: ClassVar[str] = "accuracy+consistency"

    def files(self, split: str) -> Sequence[Needed]:
        """Name the statements, original or flat, and the images."""
        return (STATEMENTS[split], IMAGES[split])

    def load(self, data: DataFolder, split: str) -> Sequence[Statement]:
        """Read the statements of a split: from the original lines where they are, since only they tell the groups of consistency."""
        path = data.path(STATEMENTS[split])
        flat = path.name.startswith("nlvr_")
        examples = read_flat_statements(path) if flat else read_lines(path, folder=ORIGINAL[split])
        images = data.expected_path(
            IMAGES[split]
        ).parent  # the annotations name dev/... and test1/...
        return [
            Statement(
                id=example.identifier,
                images=tuple(
                    path_within(images, name, where=f"{path}, example {example.identifier}")
                    for name in (example.left, example.right)
                ),
                text=example.sentence,
                label=example.label,
                group=example.group,
            )
            for example in examples
        ]

    def counts(self, samples: Sequence[Statement]) -> Mapping[str, int]:
        """Count the pairs of images, the groups of consistency and the true statements too."""
        pairs, groups = {sample.images for sample in samples}, {sample.group for sample in samples}
        return {
            **super().counts(samples),
            "pairs": len(pairs),
            "groups": len(groups),
            "true": sum(sample.label for sample in samples),
        }

    def texts(self, sample: Statement) -> Sequence[str]:
        """Return the statement."""
        return (sample.text,)

    def predict(self, model: PairReasoner, batch: Batch) -> Sequence[Prediction]:
        """Return true or false for each statement."""
        return list(
            model.judge(
                batch.images, [statement.text for statement in batch.samples], batch.image_of
            )
        )

    def fallback_prediction(self, sample: Statement) -> Prediction:
        """Return the opposite of the truth."""
        return not sample.label

    def score(
        self, samples: Sequence[Statement], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return accuracy and consistency, with intervals over groups: statements of one group were written together."""
        right = [_verdict(predictions[sample.id], sample.id) == sample.label for sample in samples]
        groups = [sample.group for sample in samples]
        whole = list(consistent(right, groups).values())
        each = [100.0 * one for one in right]
        return Scores(
            {"accuracy": accuracy(right), "consistency": consistency(right, groups)},
            {
                "accuracy": mean_of(each, clusters=groups),
                "consistency": mean_of([100.0 * one for one in whole]),
            },
            {"accuracy": each},
        )

    def score_official(self, samples: Sequence[Statement], path: Path) -> Scores:
        """Score NLVR2's predictions: `identifier,True` a line."""
        return self.score(
            samples, match_predictions(path, read_labels(path), [sample.id for sample in samples])
        )


def _verdict(prediction: Prediction, identifier: SampleId) -> bool:
    if type(prediction) is not bool:
        raise DataError(
            f"the prediction for {identifier} should be true or false, but is {prediction!r}"
        )
    return prediction
