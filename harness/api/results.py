"""Several results as an object: those of `evaluate` and `score`, and those of a folder."""

import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, overload

from harness.api.data import PathArgument, PathsArgument, choose_result_data
from harness.api.result import Result, as_table
from harness.api.samples import ResultSample
from harness.checkpoints import normalise_name
from harness.errors import HarnessError, HarnessWarning, UsageError
from harness.files.paths import distinct, expanded
from harness.records.integrity import without_contradictions
from harness.records.stored import StoredResult, ambiguous_names, find_results
from harness.rendering import render
from harness.report.selection import results_at
from harness.statistics.interval import Interval
from harness.task import SampleId

if TYPE_CHECKING:
    import pandas as pd


def read_results(
    *folders: str | PathLike[str],
    data: PathArgument = None,
    annotations: PathsArgument = None,
    images: PathArgument = None,
    answers: PathArgument = None,
) -> "Results":
    """Return the results of folders that `run --out` or `evaluate(out=...)` wrote, or of records.

    `data` is the folder of the benchmark files, `annotations`, `images` and `answers` are the own
    data, for the texts and truths of samples; by default as for `load_task`. Warns of a file that
    is not a record, and of a record that contradicts itself, which is left out.
    Raises MissingError for an absent folder, UsageError without any.

    >>> from harness.files.paths import shipped_path
    >>> results = read_results(shipped_path("results"))
    >>> results.filter(task="refcoco+", split="val").metrics["accuracy"] > 95
    True
    """
    source = choose_result_data(data, annotations=annotations, images=images, answers=answers)
    if not folders:
        raise UsageError("read_results needs a folder of results, or several")
    if wrong := [folder for folder in folders if not isinstance(folder, str | PathLike)]:
        raise UsageError(f"a folder of results should be a path, not {wrong[0]!r:.80}")
    paths = distinct([expanded(folder) for folder in folders])
    found = [without_contradictions(results_at(path)) for path in paths]
    for reason in (reason for part in found for reason in part.left_out):
        warnings.warn(reason, HarnessWarning, stacklevel=2)
    ambiguous = ambiguous_names([[stored.record for stored in part.results] for part in found])
    roots = [path.absolute().parents[1] if path.is_file() else path for path in paths]
    results = [
        replace(stored, folder=str(path))
        if stored.record.checkpoint["name"] in ambiguous
        else stored
        for path, part in zip(paths, found, strict=True)
        for stored in part.results
    ]
    first, *others = distinct(roots)
    return Results((Result(stored, source) for stored in results), folder=first, others=others)


class Results(Sequence[Result]):
    """Several results, in order of their files.

    folder     where their records are, or the first of them
    others     further folders of `read_results`
    temporary  whether that folder goes with this object; `save` keeps the results
    """

    def __init__(
        self,
        results: Iterable[Result],
        *,
        folder: Path,
        temporary: bool = False,
        others: Sequence[Path] = (),
    ) -> None:
        self._results = tuple(results)
        self.folder, self.temporary, self.others = folder, temporary, tuple(others)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> "Results": ...
    def __getitem__(self, index: int | slice) -> "Result | Results":
        if isinstance(index, slice):
            return self._of(self._results[index])
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        places = ", ".join(map(str, (self.folder, *self.others)))
        if not self:
            return f"<Results: none in {places}>"
        note = ", a temporary folder; save(folder) keeps them" if self.temporary else ""
        return f"{render([as_table(self)], 'terminal')}\nin {places}{note}"

    def _repr_html_(self) -> str:
        return render([as_table(self)], "html")

    def filter(
        self, *, task: str | None = None, split: str | None = None, checkpoint: str | None = None
    ) -> "Results":
        """Return the results of a task, a split or a checkpoint; case, `_` and `-` do not matter.

        Raises UsageError where there are none.
        """
        wanted = {"task": task, "split": split, "checkpoint": checkpoint}
        named = {key: name for key, name in wanted.items() if name is not None}
        chosen = [
            result
            for result in self
            if all(
                normalise_name(getattr(result, key)) == normalise_name(name)
                for key, name in named.items()
            )
        ]
        if not chosen:
            known = ", ".join(result.title for result in self) or "none"
            raise UsageError(f"no result of {' '.join(named.values())}; there are: {known}")
        return self._of(chosen)

    @property
    def complete(self) -> bool:
        """Whether these are all results of their folders."""
        return {result.path for result in self} == {
            result.path
            for folder in (self.folder, *self.others)
            for result in find_results(folder).results
        }

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics of the only result. Raises UsageError where there are several."""
        return self._only("metrics").metrics

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """The 95 % intervals of the only result. Raises UsageError where there are several."""
        return self._only("intervals").intervals

    def table(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each metric of each result."""
        import pandas as pd

        rows = []
        for result in self:
            for metric, value in result.metrics.items():
                interval = result.intervals.get(metric)
                rows.append(
                    {
                        "checkpoint": result.stored.checkpoint,
                        "data": result.record.data["name"],
                        "task": result.task,
                        "split": result.split,
                        "metric": metric,
                        "value": value,
                        "low": None if interval is None else interval.low,
                        "high": None if interval is None else interval.high,
                        "n": result.n,
                        "subset": result.record.subset is not None,
                        "protocol": result.protocol,
                    }
                )
        return pd.DataFrame(rows)

    def samples(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each sample; `Result.samples` lists its columns.

        For several results, it has the columns `checkpoint`, `task`, `split` and `id` too.
        """
        import pandas as pd

        if len(self) == 1:
            return self[0].samples()
        parts = []
        for result in self:
            part = result.samples().reset_index()
            for number, name in enumerate(("checkpoint", "task", "split")):
                part.insert(number, name, getattr(result, name))
            parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def sample(self, id: SampleId) -> ResultSample:
        """Return a sample of the only result. Raises UsageError where there are several."""
        return self._only("sample").sample(id)

    def save(self, folder: str | PathLike[str]) -> "Results":
        """Copy the results into a folder, as `run --out` lays them out; return them from there.

        Raises HarnessError where the folder holds another result of the same name.
        """
        return copy_results(self, expanded(folder))

    def _only(self, wanted: str) -> Result:
        if len(self) != 1:
            titles = ", ".join(result.title for result in self) or "none"
            raise UsageError(
                f"{wanted} of {len(self)} results ({titles}): choose one, by its index or by "
                "filter(task=..., split=...)"
            )
        return self[0]

    def _of(self, results: Iterable[Result]) -> "Results":
        return Results(results, folder=self.folder, temporary=self.temporary, others=self.others)


def copy_results(results: Iterable[Result], folder: Path) -> Results:
    """Copy records and the files beside them. Raises HarnessError rather than replace others."""
    copies = []
    for result in results:
        stem = result.path.name.removesuffix(".json")
        target = folder / result.path.parent.name
        for source in sorted(result.path.parent.iterdir()):
            suffix = source.name.removeprefix(stem)
            if not source.name.startswith(f"{stem}.") or suffix.startswith(".limit-"):
                continue
            path = target / source.name
            if path.exists() and path.read_bytes() != source.read_bytes():
                raise HarnessError(f"{path}: exists, and is another; choose another folder")
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
        copied = StoredResult(result.record, target / result.path.name)
        copies.append(Result(copied, result._data))
    return Results(copies, folder=folder)
