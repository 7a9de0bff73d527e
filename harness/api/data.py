"""The data that arguments name: a folder of benchmarks, or own data by its annotations."""

from collections.abc import Sequence
from os import PathLike, fspath

from harness.data.own import OwnFiles, own_files
from harness.data.resolve import Benchmarks, DataSource, Folder, resolve_data
from harness.data.result_sources import OwnBesideBenchmarks, ResultSource
from harness.errors import UsageError

PathArgument = str | PathLike[str] | None
PathsArgument = PathArgument | Sequence[str | PathLike[str]]


def choose_data(
    data: PathArgument,
    *,
    annotations: PathsArgument = None,
    images: PathArgument = None,
    answers: PathArgument = None,
    data_name: str | None = None,
) -> DataSource:
    """Return the data that a user named: own data if there are `annotations`.

    Raises UsageError for a wrong type, and for an argument of own data without `annotations`.
    """
    benchmarks = _benchmarks(data)
    if annotations is None:
        given = {"images": images, "answers": answers, "data_name": data_name}
        for argument, value in given.items():
            if value is not None:
                raise UsageError(
                    f"{argument}={value!r}: is for own data; pass annotations=FILE too"
                )
        return benchmarks
    return own_files(
        _paths("annotations", annotations),
        images=_path("images", images),
        name=data_name,
        answers=_path("answers", answers),
        folder=benchmarks.folder if isinstance(benchmarks, Folder) else None,
    )


def choose_result_data(
    data: PathArgument,
    *,
    annotations: PathsArgument = None,
    images: PathArgument = None,
    answers: PathArgument = None,
) -> ResultSource:
    """Return the data of stored results: own data beside benchmarks. Raises as `choose_data`."""
    source = choose_data(data, annotations=annotations, images=images, answers=answers)
    if isinstance(source, OwnFiles):
        return OwnBesideBenchmarks(source, _benchmarks(data))
    return source


def _benchmarks(data: PathArgument) -> Benchmarks:
    return resolve_data(_path("data", data))


def _paths(argument: str, value: PathsArgument) -> list[str]:
    """Return one path or several as texts. Raises UsageError for anything else, and for none."""
    if value is None or isinstance(value, str | PathLike):
        return [_path(argument, value) or ""]
    if not isinstance(value, Sequence) or not value:
        raise UsageError(f"{argument} should be a path or a list of paths, not {value!r:.80}")
    return [_path(argument, each) or "" for each in value]


def _path(argument: str, value: PathArgument) -> str | None:
    """Return a path as text. Raises UsageError for anything else."""
    if value is None:
        return None
    if not isinstance(value, str | PathLike):
        raise UsageError(f"{argument} should be a path, not {value!r:.80}")
    return fspath(value)
