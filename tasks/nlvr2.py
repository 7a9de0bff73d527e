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
from harness.dataset import CC_BY, Dataset, Digest, Origin
from harness.errors import DataError
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.nlvr2 import read_flat_statements, read_lines
from harness.formats.submissions import match_predictions, read_labels
from harness.metrics.nlvr2 import accuracy, consistency, consistent
from harness.sample_view import Details, Item, Picture, SampleView
from harness.statistics.means import mean_of
from harness.task import Batch, Prediction, Sample, SampleId, Scores, Task

ORIGINAL = {"dev": "dev", "test": "test1"}  # split -> its name in the official files

NLVR = "lil-lab/nlvr, commit 18924841, nlvr2/data"
DIGESTS = {
    "dev.json": Digest(
        "sha256",
        "7c44bc7831c0e060ae7d31807c91cc0c9791322363d8d86828fb44a77f09ae88",
        NLVR,
        content="d49e4ff781d11c375aa2125d10832754",
    ),
    "test1.json": Digest(
        "sha256",
        "f49a6c512d6868f8faf3b3bbe1a816bf5e8643f13c1bf26e527a21b84e27e2ec",
        NLVR,
        content="4afdf3738c8370663cfde0140bfa919c",
    ),
    "nlvr_test.json": Digest(
        "md5",
        "790c4d3d4a28eed04e0370030264d9e5",
        "X-VLM's and ALBEF's lists",
        content="790c4d3d4a28eed04e0370030264d9e5",
    ),
}


def _annotations(name: str, *, size: int) -> Origin:
    return Origin(
        name=name,
        url=f"https://raw.githubusercontent.com/lil-lab/nlvr/master/nlvr2/data/{name}",
        instructions="https://github.com/lil-lab/nlvr, folder nlvr2/data",
        format="file",
        licence=CC_BY,
        members={name: f"nlvr2/{name}"},
        size=size,
        sha256=DIGESTS[name].value,
    )


ANNOTATION_FILES = (
    _annotations("dev.json", size=3_762_423),
    _annotations("test1.json", size=3_780_579),
)
IMAGE_PACKAGE = Origin(
    name="nlvr2 images",
    url=None,
    instructions="the form linked at https://lil.nlp.cornell.edu/nlvr/ "
    "(answered by mail, within about a week)",
    format="folder",
    licence="research only",
    members={"dev/": "images/nlvr2/dev", "test1/": "images/nlvr2/test1"},
)

DATASET = Dataset(
    citation="Suhr et al. 2019, A Corpus for Reasoning about Natural Language Grounded in "
    "Photographs, arXiv 1811.00491",
    origins=(*ANNOTATION_FILES, IMAGE_PACKAGE),
    digests=DIGESTS,
    # Computed from the files, and counted in them.
    images={
        "dev": "a5b4b648e0434eb5ec746f63d30a76ebfea9ac3addf21e18cb7af5ed9d214d7c",
        "test": "fbf8f0207aa039c631ded3190947d0787063e78487e0929ebc400e40cf250983",
    },
    contents={
        "dev": "c170d2b90dce295270096cfdf810451c2778e04e7b8302da5e2a98060859a38a",
        "test": "c17275945a67f8ce06e08dd70965a011ec22fe7b395c00c80200bd363aa7a89a",
    },
    counts={
        "dev": {"samples": 6_982, "pairs": 4_051, "groups": 2_018, "true": 3_551},
        "test": {"samples": 6_967, "pairs": 4_041, "groups": 1_995, "true": 3_558},
    },
    no_hub="the copies on the hub hold only the balanced and unbalanced subsets, "
    "not the whole splits",
    image_note="NLVR2's are called PNG",
)

STATEMENTS = {
    split: Needed(
        tuple(f"{folder}/{original}.json" for folder in ("nlvr2", "nlvr2/data", "nlvr/nlvr2/data"))
        + tuple(
            f"{folder}nlvr_{split}.json"
            for folder in (
                *("data/finetune/", "finetune/", "nlvr2/", "data/", "annotation/"),
                *("nlvr/annotations/", ""),
            )
        ),
        "the statements, one a line, or X-VLM's list of them",
        ANNOTATION_FILES[0].instructions,
    )
    for split, original in ORIGINAL.items()
}
IMAGES = {
    split: Needed(
        tuple(
            f"{folder}/{original}"
            for folder in ("images/nlvr2", "nlvr2/images", "nlvr2", "nlvr/images")
        ),
        f"the folder of NLVR2's {original} images",
        IMAGE_PACKAGE.instructions,
        folder=True,
    )
    for split, original in ORIGINAL.items()
}


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
