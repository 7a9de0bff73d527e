"""The samples of a stored result, one by one: the annotation, the prediction, its scores, its view.

`show`, the report and notebooks read them here. Whatever is missing, annotations, predictions or
scores, is named in `problems`; the rest is still known.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

from harness.callbacks import no_progress
from harness.data.resolve import DataSource, Embedded
from harness.data.result_sources import ResultSource, source_of
from harness.errors import DataError, HarnessError
from harness.formats.own.folder import is_own
from harness.formats.same_files import are_files_of
from harness.records.record import ResultRecord
from harness.records.stored import StoredResult
from harness.registry import find_split, find_task
from harness.running.skipped import reasons, with_fallbacks
from harness.running.subset import subset
from harness.sample_view import NOT_KEPT, Details, Item, SampleView, prediction_text
from harness.task import Prediction, Sample, SampleId, Task, load_samples

GRADED = frozenset({"cider", "rouge_l", "iou"})  # scores, even where all are 0
RIGHT_FROM = 50.0  # of 100: a sample that scores less is wrong


@dataclass(frozen=True)
class StoredSample:
    """A sample of a stored result.

    sample      as annotated; None where the annotations are not at hand
    prediction  as stored; None where it was not kept
    scores      measure -> value, as in `Scores.by_sample`; higher is better
    wrong       whether its first measure is below one half; None where that is not a share
    """

    id: SampleId
    sample: Sample | None
    prediction: Prediction
    scores: Mapping[str, float]
    wrong: bool | None
    view: SampleView


class StoredSamples(Sequence[StoredSample]):
    """The samples of a result in the order of its annotations; each is made when it is read.

    `source` is where the user's data are; those of the embedded benchmark are always at hand.
    `unscored` says why the samples have no scores, empty where they have.
    """

    def __init__(
        self, result: StoredResult, source: ResultSource, *, task: Task | None = None
    ) -> None:
        """Read what is at hand. `task` is that of the result, where it is not registered."""
        self.result = result
        self._given = task
        self.problems: list[str] = []
        self._predictions = self._kept_predictions()
        self._samples = self._annotations(source)
        self._scored_ids: Sequence[SampleId] = ()
        self.unscored = ""
        self._scores = self._sample_scores()
        self.ids: Sequence[SampleId] = self._known_ids()
        self._shares = {name: _is_share(name, values) for name, values in self._scores.items()}

    @property
    def measures(self) -> Sequence[str]:
        """The names of the scores that every sample has, the most important first."""
        return list(self._scores)

    @property
    def annotated(self) -> bool:
        """Whether the annotations are at hand: texts, images and truths."""
        return bool(self._samples)

    @property
    def annotations(self) -> Sequence[Sample]:
        """The samples as annotated, empty where the annotations are not at hand."""
        return list(self._samples.values())

    @property
    def kept(self) -> bool:
        """Whether the predictions were kept."""
        return self._predictions is not None

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the position of an id, which may be given as text. Raises ValueError."""
        try:
            return self._positions[str(value)]
        except KeyError:
            raise ValueError(f"{self.result.title}: has no sample {value}") from None

    def scores(self, measure: str) -> Sequence[float]:
        """Return a measure of all samples."""
        return self._scores[measure]

    def wrong(self, index: int) -> bool | None:
        """Return whether a sample is wrong by its first measure; None where it is not a share."""
        if not self._scores:
            return None
        measure = next(iter(self._scores))
        return self._scores[measure][index] < RIGHT_FROM if self._shares[measure] else None

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[StoredSample]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> StoredSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredSample]: ...
    def __getitem__(self, index: int | slice) -> StoredSample | Sequence[StoredSample]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        id = self.ids[index]
        sample = self._samples.get(id)
        return StoredSample(
            id=id,
            sample=sample,
            prediction=self._predictions.get(id) if self._predictions is not None else None,
            scores={name: values[index] for name, values in self._scores.items()},
            wrong=self.wrong(index),
            view=self._view(id, sample),
        )

    def _view(self, id: SampleId, sample: Sample | None) -> SampleView:
        """Return the task's view, as far as annotations and predictions are known."""
        kept = self._predictions is not None and id in self._predictions
        prediction = self._predictions[id] if self._predictions is not None and kept else None
        if sample is None:
            return SampleView(prediction=prediction_text(prediction) if kept else NOT_KEPT)
        try:
            view = self._viewer(sample)
        except Exception as error:  # of another package's task, or for a malformed prediction
            failure = Details(
                "Not shown as its task shows it", (Item(f"{type(error).__name__}: {error}"[:500]),)
            )
            view = replace(Task.view(self._task, sample, prediction), details=(failure,))
        if not kept:
            return replace(view, prediction=NOT_KEPT, confidence=None, pairs=())
        if reason := self._skipped.get(str(id)):
            return replace(view, prediction=f"(skipped: {reason})", confidence=None, pairs=())
        return view

    @cached_property
    def _task(self) -> Task:
        return self._given or find_task(self.result.record.task)

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {str(id): number for number, id in enumerate(self.ids)}

    @cached_property
    def _skipped(self) -> Mapping[str, str]:
        return reasons(self._predictions or {})

    @cached_property
    def _viewer(self) -> Callable[[Sample], SampleView]:
        samples = list(self._samples.values())
        predictions = with_fallbacks(self._task, samples, self._predictions or {})
        return self._task.viewer(samples, predictions)

    def _annotations(self, source: ResultSource) -> Mapping[SampleId, Sample]:
        """Return the samples by id, empty where the data of the run are not at hand."""
        record = self.result.record
        try:
            task = self._task
            find_split(task, record.split)  # says which splits the task has
            origin = Embedded() if record.embedded else source_of(source, record.task)
            if isinstance(origin, Embedded) and not record.embedded:
                raise DataError("its data are not those of the embedded benchmark; give --data DIR")
            data = origin.open({task.name: [record.split]}, progress=no_progress)
            files = data.fingerprint(task.files(record.split))
            if not are_files_of(record.data, files):
                raise DataError(_describe_other_files(origin, record, files))
            samples = load_samples(task, data, record.split)
            if record.subset is not None:
                samples = subset(samples, record.subset.limit)
        except (HarnessError, LookupError) as error:  # of a split that the task does not have
            self.problems.append(f"no images, texts or truths are shown: {error}")
            return {}
        if self._predictions is not None and not {s.id for s in samples} >= {*self._predictions}:
            self.problems.append(
                "no images, texts or truths are shown: the predictions are about other samples"
            )
            return {}
        return {sample.id: sample for sample in samples}

    def _kept_predictions(self) -> Mapping[SampleId, Prediction] | None:
        try:
            predictions = self.result.predictions
        except HarnessError as error:
            self.problems.append(f"no predictions are shown: {error}")
            return None
        if predictions is None:
            self.problems.append("no predictions are shown: they were not kept beside the record")
        return predictions

    def _sample_scores(self) -> Mapping[str, Sequence[float]]:
        if not self.result.record.metrics:
            self.unscored = "its truths are hidden"
            return {}
        try:
            scores = self.result.sample_scores
        except HarnessError as error:
            return self._without_scores(str(error))
        if self._samples and list(scores.ids) != list(self._samples):
            return self._without_scores("its scores are about other samples")
        self._scored_ids = scores.ids
        if not scores.by_sample:
            self.unscored = "this result has none"
        return {name: values.tolist() for name, values in scores.by_sample.items()}

    def _without_scores(self, reason: str) -> Mapping[str, Sequence[float]]:
        self.unscored = reason
        self.problems.append(f"no scores of samples are shown: {reason}")
        return {}

    def _known_ids(self) -> Sequence[SampleId]:
        if self._samples:
            return list(self._samples)
        return list(self._scored_ids or self._predictions or [])


def _describe_other_files(
    origin: DataSource, record: ResultRecord, files: Mapping[str, str]
) -> str:
    """Say which annotation files of a run are not at hand, and for own data how they are named."""
    recorded: Mapping[str, str] = record.data.get("files", {})
    other = ", ".join(name for name, sha256 in recorded.items() if files.get(name) != sha256)
    sentence = f"{origin} holds other annotation files than those of the run"
    if other:
        sentence += f" ({other})"
    if is_own(record.task):
        sentence += (
            "; show this result by itself, with its own --annotations FILE --images DIR "
            "(and --answers FILE)"
        )
    return sentence


def _is_share(name: str, values: Sequence[float]) -> bool:
    """Return whether a measure says how far a sample is right: an accuracy, or all or nothing.

    The values say so of measures of other packages alone.
    """
    if name in GRADED:
        return False
    return name.startswith("accuracy") or all(value in (0.0, 100.0) for value in values)
