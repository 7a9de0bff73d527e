"""The identity of a run: runs with the same identity make the same predictions."""

from collections.abc import Sequence
from typing import Any

from harness.capabilities import Model
from harness.formats.folder import digest_of_files
from harness.images import STRICT
from harness.plugins import MODEL, TASK
from harness.records.provenance import code_sha256, computing, release
from harness.running.pinned import hashed_path
from harness.running.run import Run
from harness.task import Sample

DEFAULT_FAMILY = "xvlm"


def identify(run: Run, model: Model, samples: Sequence[Sample], *, total: int) -> dict[str, Any]:
    """Return the identity of a run, with hashes, but without names of weights and without paths.

    `total` is the size of the whole split.
    """
    files = run.data.fingerprint(run.task.files(run.split))
    return {
        "task": run.task.name,
        "task_version": run.task.version,
        "split": run.split,
        "n": len(samples),
        "subset": None if run.limit is None else {"limit": run.limit, "total": total},
        "protocol": run.task.protocol_for(model, samples),
        "checkpoint": {
            "sha256": run.sha256,
            **_file_in_folder(run),
            **_family(run),
            **_arguments(run),
            **model.provenance,
        },
        "data": {"name": run.data.name, "sha256": digest_of_files(files), "files": files},
        "settings": _settings(run, model),
        "software": computing(),
        "code": {
            "release": release(),
            "sha256": code_sha256(*_of_no_plugin(run, model)),
            **{plugin.kind: plugin.identity() for plugin in run.plugins},
        },
    }


def _file_in_folder(run: Run) -> dict[str, str]:
    """Return which file of a folder holds the weights, where the hash is that of the folder."""
    path = run.weights.path
    return {} if hashed_path(run.weights) == path else {"weight_file": path.name}


def _family(run: Run) -> dict[str, str]:
    """Return the model family, where it is not the one that records without a name are of."""
    family = run.weights.family
    return {} if family == DEFAULT_FAMILY else {"family": family}


def _of_no_plugin(run: Run, model: Model) -> list[object]:
    """Return the task and the model, unless the code of a plugin includes that of their class."""
    packages = {plugin.kind: _package(plugin.module) for plugin in run.plugins}
    parts = {TASK: run.task, MODEL: model}
    return [
        part
        for kind, part in parts.items()
        if packages.get(kind) != _package(type(part).__module__)
    ]


def _package(module: str) -> str:
    return module.partition(".")[0]


def _arguments(run: Run) -> dict[str, Any]:
    """Return the family's own settings, where the user gave any."""
    return {"arguments": dict(run.weights.arguments)} if run.weights.arguments else {}


def _settings(run: Run, model: Model) -> dict[str, str]:
    """Return the flags that can move a number; `images` only where it is not the default."""
    settings = {"dtype": run.dtype, "device": model.device}
    return settings if run.images == STRICT else {**settings, "images": run.images}
