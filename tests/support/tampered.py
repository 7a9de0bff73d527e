"""Results that somebody edited: the committed ones, copied, with hashes that fit the edit."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COMMITTED = Path(__file__).parents[2] / "results" / "xvlm-shapes"
CHECKPOINT = "xvlm-shapes"


def committed(folder: Path, *stems: str) -> Path:
    """Copy results of the committed baseline by stem, such as `nlvr2.dev`."""
    (folder / CHECKPOINT).mkdir(parents=True, exist_ok=True)
    for path in COMMITTED.iterdir():
        if path.name.startswith(tuple(f"{stem}." for stem in stems)):
            shutil.copy(path, folder / CHECKPOINT)
    return folder


def file_of(folder: Path, stem: str, suffix: str = ".json") -> Path:
    """The path of a result's record, or of a file beside it."""
    return folder / CHECKPOINT / f"{stem}{suffix}"


def edit(folder: Path, stem: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a record in place."""
    path = file_of(folder, stem)
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def edit_scores(folder: Path, stem: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the arrays of sample scores in place, and their hash in the record."""
    path = file_of(folder, stem, ".contributions.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    with path.open("wb") as file:
        np.savez(file, **arrays)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(folder, stem, lambda record: record["contributions"].update(sha256=sha256))


def edit_predictions(folder: Path, stem: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change each line after the head of a prediction file, and its hash in the record."""
    path = file_of(folder, stem, ".predictions.jsonl.gz")
    head, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    entries = [json.loads(line) for line in lines]
    for entry in entries:
        change(entry)
    content = "\n".join([head, *(json.dumps(e, separators=(",", ":")) for e in entries)]) + "\n"
    path.unlink()
    file_of(folder, stem, ".predictions.jsonl").write_text(content)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    edit(folder, stem, lambda record: record["predictions"].update(sha256=sha256))
