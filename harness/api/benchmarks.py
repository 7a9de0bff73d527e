"""A benchmark together with its data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from harness.api.data import PathArgument, PathsArgument, choose_data
from harness.callbacks import no_progress
from harness.data.own import OwnFiles, needs_annotations, own_task
from harness.data.resolve import DataSource
from harness.errors import MissingError, UsageError
from harness.formats.own.folder import KINDS, is_own
from harness.registry import find_split, find_task
from harness.task import Task, load_samples

if TYPE_CHECKING:
    import pandas as pd

# A benchmark by its name, with its data, or as a task of the user's own: an object or a class.
TaskLike = Any


def load_task(
    task: TaskLike,
    *,
    data: PathArgument = None,
    annotations: PathsArgument = None,
    images: PathArgument = None,
    answers: PathArgument = None,
    data_name: str | None = None,
) -> "LoadedTask":
    """Return a benchmark with its data, or a task on own data (docs/own-data.md).

    task         its name, or an object or a subclass of `harness.task.Task`, which need not be
                 registered; of own data `grounding`, `caption`, `retrieval`, `vqa` or `nlvr2`
    data         folder of the benchmark files, or `hf`; by default XVLM_EVAL_DATA, the
                 configuration file, else the embedded benchmark
    annotations  file of own data: JSON lines, CSV, or COCO's JSON
    images       folder of its images, by default that of the file
    answers      file of candidate answers for `vqa`; by default all true answers
    data_name    its name in records, by default that of the file: its only split

    Raises UsageError for an unknown name, and for the other arguments without `annotations`.

    >>> load_task("refcoco+").splits
    ('val', 'testA', 'testB')
    """
    given = (data, annotations, images, answers, data_name)
    if isinstance(task, LoadedTask) and all(argument is None for argument in given):
        return task
    source = choose_data(
        data, annotations=annotations, images=images, answers=answers, data_name=data_name
    )
    return LoadedTask(_definition(task, source), source)


class LoadedTask:
    """A benchmark with its data. Made by `load_task`.

    definition  the task itself, a `harness.task.Task`
    source      where its files come from
    """

    def __init__(self, definition: Task, source: DataSource) -> None:
        self.definition, self.source = definition, source
        self._samples: dict[str, Sequence[Any]] = {}

    def __repr__(self) -> str:
        return (
            f"<LoadedTask {self.name}: {', '.join(self.splits)}; predicted by {self.needs}; "
            f"data of {self.source}>"
        )

    @property
    def name(self) -> str:
        """The name of the benchmark."""
        return self.definition.name

    @property
    def splits(self) -> tuple[str, ...]:
        """Its splits, in the order of the publication."""
        if isinstance(self.source, OwnFiles):
            return (self.source.name,)
        return tuple(self.definition.splits)

    @property
    def primary(self) -> str:
        """The metric that the benchmark is known for."""
        return self.definition.primary

    @property
    def needs(self) -> str:
        """The capabilities that can predict it, preferred first, in words."""
        return " or ".join(kind.__name__ for kind in self.definition.needs)

    def split(self, name: str | None = None) -> str:
        """Return a split by its name, regardless of case, `_` and `-`; for None, the only split.

        Raises UsageError for an unknown name, and for None if the task has several splits.
        """
        if name is None:
            if len(self.splits) != 1:
                raise UsageError(f"{self.name}: name one of its splits: {', '.join(self.splits)}")
            return self.splits[0]
        if not isinstance(name, str):
            raise UsageError(f"a split should be a name, not {name!r:.80}")
        if isinstance(self.source, OwnFiles) and name != self.source.name:
            raise UsageError(
                f"{self.name} has no split {name!r}: own data has one, its name "
                f"{self.source.name!r} (data_name=...)"
            )
        return find_split(self.definition, name)

    def samples(self, split: str | None = None) -> Sequence[Any]:
        """Return the samples of a split, in the order of the annotation file.

        Each has an `id`, `images` (paths, or regions of them), and fields in the words of the
        dataset. Raises MissingError, naming every file that is absent.
        """
        split = self.split(split)
        if split not in self._samples:
            data = self.source.open({self.name: [split]}, progress=no_progress)
            if missing := data.missing(self.definition.files(split)):
                raise MissingError(*(f"{data.root}: missing {needed}" for needed in missing))
            self._samples[split] = load_samples(self.definition, data, split)
        return self._samples[split]

    def sample(self, id: int | str, split: str | None = None) -> Any:
        """Return the sample with an id. Raises UsageError where the split has none."""
        for sample in self.samples(split):
            if str(sample.id) == str(id):
                return sample
        raise UsageError(f"{self.name} {self.split(split)} has no sample {id!r}")

    def table(self, split: str | None = None) -> "pd.DataFrame":
        """Return the samples of a split as a DataFrame of their fields; `images` are texts."""
        import pandas as pd

        rows = [
            {field.name: getattr(sample, field.name) for field in fields(sample)}
            | {"images": [str(view) for view in sample.images]}
            for sample in self.samples(split)
        ]
        return pd.DataFrame(rows).set_index("id")


def _definition(task: TaskLike, source: DataSource) -> Task:
    """Return the task that a user named or handed over.

    Raises UsageError for anything else, and for a task that does not work on this kind of data.
    """
    own = isinstance(source, OwnFiles)
    if isinstance(task, LoadedTask):
        task = task.definition
    if isinstance(task, type) and issubclass(task, Task):
        task = _made(task)
    if isinstance(task, str):
        if own:
            return find_task(own_task([task]))
        if needs_annotations(task):
            raise UsageError(
                f"{task}: is a task on own data; name it by annotations=FILE, images=DIR"
            )
        return find_task(task)
    if not isinstance(task, Task):
        raise UsageError(
            f"a task should be a name, load_task(...), or a harness.task.Task, not {task!r:.80}"
        )
    if is_own(task.name) != own:
        raise UsageError(
            f"{task.name}: is not a task on own data; annotations are for {', '.join(KINDS)}"
            if own
            else f"{task.name}: is a task on own data; name it by annotations=FILE, images=DIR"
        )
    return task


def _made(kind: type[Task]) -> Task:
    """Return an instance of a task class. Raises UsageError if its constructor fails."""
    try:
        return kind()
    except Exception as error:  # whatever a constructor of the user's raises
        raise UsageError(
            f"{kind.__name__} cannot be made without arguments ({type(error).__name__}: {error}); "
            "pass an object of it"
        ) from error


def splits_of(task: LoadedTask, split: str | Sequence[str] | None) -> Mapping[str, list[str]]:
    """Return the splits that a user named, by the name of the task; for None, all splits.

    Raises UsageError for an unknown name, and for an empty list.
    """
    names = [split] if isinstance(split, str) else task.splits if split is None else split
    if not isinstance(names, Iterable):
        raise UsageError(f"split should be a name or several, not {split!r:.80}")
    splits = list(dict.fromkeys(task.split(name) for name in names))
    if not splits:
        raise UsageError(f"no split of {task.name} is named; it has {', '.join(task.splits)}")
    return {task.name: splits}
