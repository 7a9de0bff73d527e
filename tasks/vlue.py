"""VLUE: four benchmarks on other images than those that models are tuned on, with public truths.

Data: MichaelZhouwang/VLUE, in X-VLM's flat formats; the images are MaRVL's, from five languages'
cultures. Protocols: those of the benchmarks that the weights are tuned on, as X-VLM's
`configs/vlue-base-test` has them; its README names the weights. Grounding: `vlue_grounding.py`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from harness.dataset import NOT_STATED, Dataset, Digest, Origin
from harness.formats.folder import DataFolder, Needed
from harness.formats.image_folder import image_folder
from harness.formats.karpathy import read_flat_captions
from harness.formats.nlvr2 import read_flat_statements
from harness.formats.vqa import read_answer_list, read_flat_questions
from harness.metrics.vqa import any_number
from harness.statistics.means import mean_of
from harness.task import Prediction, SampleId, Scores, Task
from tasks.nlvr2 import NLVR2, Statement
from tasks.retrieval import Picture, Retrieval
from tasks.vqav2 import Question, VQAv2
from tasks.vqav2_files import ANSWER_LIST, ANSWERS, CHOICES
from tasks.vqav2_scoring import answer_of

REPOSITORY = "https://github.com/MichaelZhouwang/VLUE"
COMMIT = "cd4ef37570a24f69fc2d027999e87b026530b738"
MARVL = Origin(
    name="MaRVL's images",
    url=None,
    instructions="https://marvl-challenge.github.io/download",
    format="folder",
    licence=NOT_STATED,
    members={"images/": "images/marvl"},
)
IMAGES = Needed(
    ("images/marvl", "marvl/images", "marvl", "vlue/images"),
    "the folder of MaRVL's images, with a folder for each language",
    MARVL.instructions,
    folder=True,
)
FOLDERS = ("vlue", "data/vlue_released", "vlue/data", "data")  # the second is X-VLM's


def vlue_list(name: str, content: str) -> Needed:
    """Return a list of VLUE, by the paths where people keep it."""
    return Needed(
        tuple(f"{folder}/{name}" for folder in FOLDERS), content, f"{REPOSITORY}, folder data"
    )


def vlue_dataset(
    name: str, counts: Mapping[str, int], sha256: str = "", content: str = "", *origins: Origin
) -> Dataset:
    """Return what is published about a list; `counts` are those of its test split.

    `sha256` is of the file, `content` as in `Digest`; both are empty where they are not known.
    """
    url = f"https://raw.githubusercontent.com/MichaelZhouwang/VLUE/{COMMIT}/data/{name}"
    origin = Origin(
        name=name,
        url=url if sha256 else None,
        instructions=REPOSITORY,
        format="file",
        licence=NOT_STATED,
        members={name: f"vlue/{name}"},
        sha256=sha256 or None,
    )
    return Dataset(
        citation="Zhou et al. 2022, VLUE: A Multi-Task Benchmark for Evaluating Vision-Language "
        "Models, arXiv 2205.15237; images: Liu et al. 2021, MaRVL, arXiv 2109.13238",
        origins=(origin, MARVL, *origins),
        digests={
            name: Digest(
                "sha256", sha256, f"MichaelZhouwang/VLUE, commit {COMMIT[:8]}, data", content
            )
        }
        if sha256
        else {},
        counts={"test": counts},
    )


class VLUE(Task):
    """What the tasks have in common: one split, whose truths are public."""

    splits: ClassVar[tuple[str, ...]] = ("test",)
    hidden: ClassVar[frozenset[str]] = frozenset()
    server: ClassVar[str] = ""
    server_metrics: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[bool] = True

    def flat_lists(self, samples: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        """Return no list: VLUE's files are flat."""
        return {}


CAPTIONS = vlue_dataset(
    "itr_vlue_test.json",
    {"samples": 5_450, "images": 5_413, "captions": 27_796},
    "8839af64fbaa7e72bcb4e56e1a03890899b8cadbd21ac7e6a6c8197327150880",
    "92fe8711e49f715def9b67700305fe5b",
)
QUESTIONS = vlue_dataset(
    "vqa_vlue_test.json",
    {"samples": 11_942, "images": 4_895, "answers": 11_942, "choices": CHOICES},
    "7783caad1b295ef6a4284f9629e1e843382b2bc87fc9d06ed7a457493227ae09",
    "c021564cbcff1a56c5045dc395711c2c",
    ANSWER_LIST,
)
STATEMENTS = vlue_dataset(
    "nlvr2_vlue_test.json",
    {"samples": 5_662, "images": 4_904, "pairs": 5_142, "true": 2_817},
    "2d922b61b9c81c090706d9b793e0e7a21217ae10fe0d334b4f534ec9f164128d",
    "36b541db5d7fc14108a5bcbcdb06c8a0",
)


class VLUERetrieval(VLUE, Retrieval):
    """Retrieval by COCO-tuned weights. 37 images are listed twice, with other captions.

    X-VLM ranks each listing separately, so a caption of such an image ties with the image's other
    listing. So does this task.
    """

    name: ClassVar[str] = "vlue-retrieval"
    version: ClassVar[int] = 1
    weights_of: ClassVar[str] = "coco-retrieval"
    collection: ClassVar[str] = "vlue"
    division: ClassVar[str] = "vlue"
    shortlist: ClassVar[int] = 256
    protocol: ClassVar[str] = "itm-only|k=256|vlue"
    images: ClassVar[Needed] = IMAGES
    captions: ClassVar[Needed] = vlue_list("itr_vlue_test.json", "VLUE's captions")
    dataset: ClassVar[Dataset] = CAPTIONS

    def files(self, split: str) -> Sequence[Needed]:
        """Name the captions and the images."""
        return (self.captions, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Picture]:
        """Read the gallery; the second listing of an image has the id `{image}#2`."""
        path, images = data.path(self.captions), image_folder(data, IMAGES)
        listings: Counter[str] = Counter()
        pictures = []
        for picture in read_flat_captions(path, repeated=True):
            name = picture.image
            listings[name] += 1
            id = name if listings[name] == 1 else f"{name}#{listings[name]}"
            image = images.image(name, where=str(path))
            pictures.append(Picture(id, (image,), picture.captions, name))
        return pictures


class VLUEVQA(VLUE, VQAv2):
    """Questions with one true answer, which is among VQAv2's 3,128, by VQAv2-tuned weights.

    A prediction is right if it equals the true answer, both cleaned: VLUE published no scorer.
    """

    name: ClassVar[str] = "vlue-vqa"
    weights_of: ClassVar[str] = "vqav2"
    protocol: ClassVar[str] = "one-answer|answer-list|k=128"
    scorer: ClassVar[str] = "one-answer"
    questions: ClassVar[Needed] = vlue_list("vqa_vlue_test.json", "VLUE's questions")
    dataset: ClassVar[Dataset] = QUESTIONS

    def files(self, split: str) -> Sequence[Needed]:
        """Name the questions, the list of answers and the images."""
        return (self.questions, ANSWERS, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Question]:
        """Read the questions."""
        path, images = data.path(self.questions), image_folder(data, IMAGES)
        choices = read_answer_list(data.path(ANSWERS))
        questions = []
        for name, question in read_flat_questions(path):
            id = question.question_id
            image = images.image(name, where=f"{path}, question {id}")
            questions.append(
                Question(id, (image,), question.text, name, question.answers, "", "", choices)
            )
        return questions

    def score(
        self, samples: Sequence[Question], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the accuracy in percent; the interval is over images."""
        answers = [answer_of(predictions[sample.id], sample.id) for sample in samples]
        correct = [100 * any_number(a, s.answers) for a, s in zip(answers, samples, strict=True)]
        mean = mean_of(correct, clusters=[str(sample.images[0]) for sample in samples])
        return Scores(
            {"accuracy": sum(correct) / len(correct)}, {"accuracy": mean}, {"accuracy": correct}
        )


class VLUENLVR2(VLUE, NLVR2):
    """Statements about pairs of images, judged by NLVR2-tuned weights. There are no groups."""

    name: ClassVar[str] = "vlue-nlvr2"
    weights_of: ClassVar[str] = "nlvr2"
    protocol: ClassVar[str] = "accuracy"
    statements: ClassVar[Needed] = vlue_list("nlvr2_vlue_test.json", "VLUE's statements")
    dataset: ClassVar[Dataset] = STATEMENTS

    def files(self, split: str) -> Sequence[Needed]:
        """Name the statements and the images."""
        return (self.statements, IMAGES)

    def load(self, data: DataFolder, split: str) -> Sequence[Statement]:
        """Read the statements; an id is an index. Pairs of one folder, a concept, share images."""
        path, images = data.path(self.statements), image_folder(data, IMAGES)
        statements = []
        for example in read_flat_statements(path):
            id, names = example.identifier, (example.left, example.right)
            pair = tuple(images.image(name, where=f"{path}, item {id}") for name in names)
            concept = example.left.rpartition("/")[0]
            text, label = example.sentence, example.label
            statements.append(Statement(id, pair, text, label, id, concept, names))
        return statements

    def counts(self, samples: Sequence[Statement]) -> Mapping[str, int]:
        """Leave out the consistency groups."""
        return {name: n for name, n in super().counts(samples).items() if name != "groups"}

    def score(
        self, samples: Sequence[Statement], predictions: Mapping[SampleId, Prediction]
    ) -> Scores:
        """Return the accuracy in percent; the interval is over concepts."""
        scores = super().score(samples, predictions)
        metrics = {"accuracy": scores.metrics["accuracy"]}
        statistics = {"accuracy": scores.statistics["accuracy"]}
        return replace(scores, metrics=metrics, statistics=statistics)
