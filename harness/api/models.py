"""Load weights as an object that takes Pillow images and returns Python values in pixels."""

from collections.abc import Mapping
from os import PathLike, environ, fspath
from typing import Literal, get_args

from harness.api.arguments import check_choice, check_name, settings_of
from harness.api.loaded_model import LoadedModel
from harness.checkpoints import find_entry, find_weights
from harness.data.resolve import resolve_data
from harness.errors import UsageError
from harness.registry import find_family, find_task
from harness.running.given import resolve_given

DType = Literal["float32", "tf32", "float16", "bfloat16"]


def load_model(
    checkpoint: str | PathLike[str],
    *,
    task: str | None = None,
    family: str | None = None,
    name: str | None = None,
    arguments: Mapping[str, str | float] | None = None,
    data: str | PathLike[str] | None = None,
    device: str = "auto",
    dtype: DType = "float32",
    download: bool = False,
) -> LoadedModel:
    """Load weights.

    checkpoint  an entry of checkpoints.yaml, a weight file or folder, or a repository in the cache
                of Hugging Face's hub
    task        the task whose weights of the entry to load; not needed where it has one file only
    family      the model family of a file, folder or repository; by default `xvlm`
    name        its name in records; by default that of the file
    arguments   settings of the family, as `--model-args`: texts or numbers by name
    data        folder of the benchmark files, where checkpoints are looked for too
    device      `auto`, `cpu`, `cuda` or `cuda:N`
    dtype       precision of matrix products
    download    whether a repository of the hub may be downloaded

    Raises UsageError for unknown names, MissingError for absent files, CheckpointError for weights
    that cannot be used, CapabilityError where they do not fit the task.

    >>> load_model("xvlm-shapes", task="refcoco+").ground  # doctest: +ELLIPSIS
    <bound method LoadedModel.ground of ...>
    """
    reproducible_products()
    if not isinstance(checkpoint, str | PathLike):
        raise UsageError(f"checkpoint should be a name or a path, not {checkpoint!r:.80}")
    if not (task is None or isinstance(task, str)):
        raise UsageError(f"task should be the name of a task, not {task!r:.80}")
    check_choice("dtype", dtype, get_args(DType))
    check_name("name", name)
    checkpoint = fspath(checkpoint)
    settings = None if arguments is None else settings_of(arguments)
    given = resolve_given(
        checkpoint, family=family, name=name, arguments=settings, download=download
    )
    source = resolve_data(None if data is None else fspath(data))
    definition = find_task(task) if task else None
    weights = find_weights(
        checkpoint,
        task=definition.name if definition else _only_task(checkpoint),
        data=source.folder,
        given=given,
        like=definition.weights_of if definition else "",
    )
    needs = definition.needs if definition else find_family(weights.family).offers
    if not needs:
        raise UsageError(
            f"{checkpoint}: the family {weights.family} does not say what its models can do; "
            "name a task: load_model(..., task=...)"
        )
    return LoadedModel(weights, needs, source=source, device=device, dtype=dtype)


def reproducible_products() -> None:
    """Make matrix products the same bits for any number of threads; as the command does.

    It is read when torch is first imported.
    """
    environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def _only_task(checkpoint: str) -> str:
    """Return a task that an entry has weights for, if all of its tasks share one file."""
    entry = find_entry(checkpoint)
    if entry is None:
        return ""
    if len({release.path for release in entry.files.values()}) > 1:
        raise UsageError(
            f"{entry.name} has different weights for {', '.join(sorted(entry.files))}; "
            f"name one: load_model({entry.name!r}, task=...)"
        )
    return next(iter(entry.files))
