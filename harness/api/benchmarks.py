"""A benchmark together with its data."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from harness.callbacks import no_progress
from harness.data.resolve import DataSource, resolve_data
from harness.errors import MissingError, UsageError
from harness.registry import find_split, find_task
from harness.task import Task, load_samples

if TYPE_CHECKING:
    import pandas as pd

# A benchmark by its name, with its data, or as a task of the user's own: an object or a class.
TaskLike = Any


def load_task(task: TaskLike, *, data: str | PathLike[str] | None = None) -> "LoadedTask":
    """Return a benchmark with its data.

    task  its name, or an object or a subclass of `harness.task.Task`, which need not be registered
    data  folder of the benchmark files, or `hf`; by default XVLM_EVAL_DATA, the configuration
          file, else the embedded benchmark

    Raises UsageError for an unknown name.

    >>> load_task("refcoco+").splits
    ('val', 'testA', 'testB')
    """
    if isinstance(task, LoadedTask):
        return task if data is None else LoadedTask(task.definition, _source(data))
    return LoadedTask(_definition(task), _source(data))


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
        return tuple(self.definition.splits)

    @property
    def primary(self) -> str:
        """The metric that the benchmark is known for."""
        return self.definition.primary

    @property
    def needs(self) -> str:
        """The capabilities that can predict it, preferred first, in words."""
        return " or ".join(kind.__name__ for kind in self.definition.needs)

    def samples(self, split: str) -> Sequence[Any]:
        """Return the samples of a split, in the order of the annotation file.

        Each has an `id`, `images` (paths, or regions of them), and fields in the words of the
        dataset. Raises MissingError, naming every file that is absent.
        """
        split = find_split(self.definition, split)
        if split not in self._samples:
            data = self.source.open({self.name: [split]}, progress=no_progress)
            if missing := data.missing(self.definition.files(split)):
                raise MissingError(*(f"{data.root}: missing {needed}" for needed in missing))
            self._samples[split] = load_samples(self.definition, data, split)
        return self._samples[split]

    def sample(self, id: int | str, split: str) -> Any:
        """Return the sample with an id. Raises UsageError where the split has none."""
        for sample in self.samples(split):
            if str(sample.id) == str(id):
                return sample
        raise UsageError(f"{self.name} {split} has no sample {id!r}")

    def table(self, split: str) -> "pd.DataFrame":
        """Return the samples of a split as a DataFrame: their fields, and `images` as text."""
        import pandas as pd

        rows = [
            {
                **{field.name: getattr(sample, field.name) for field in fields(sample)},
                "images": [str(view) for view in sample.images],
            }
            for sample in self.samples(split)
        ]
        return pd.DataFrame(rows).set_index("id")


def _definition(task: TaskLike) -> Task:
    """Return the task that a user named or handed over. Raises UsageError for anything else."""
    if isinstance(task, str):
        return find_task(task)
    if isinstance(task, Task):
        return task
    if isinstance(task, type) and issubclass(task, Task):
        return task()
    raise UsageError(
        f"a task should be a name, load_task(...), or a harness.task.Task, not {task!r:.80}"
    )


def _source(data: str | PathLike[str] | None) -> DataSource:
    return resolve_data(None if data is None else fspath(data))


def splits_of(task: LoadedTask, split: str | Sequence[str] | None) -> Mapping[str, list[str]]:
    """Return the splits that a user named, by the name of the task; all of them for None."""
    names = [split] if isinstance(split, str) else task.splits if split is None else split
    return {task.name: list(dict.fromkeys(find_split(task.definition, name) for name in names))}
