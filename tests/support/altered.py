"""Altered results: edit the files of a run, and score them again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.cli.main import main

CHECKPOINT = "xvlm-shapes"


def copied(results: Path, folder: Path, *stems: str) -> Path:
    """Copy the files of results by stem, such as `refcoco+.testB`; all results for no stem."""
    for path in sorted((results / CHECKPOINT).iterdir()):
        if not stems or path.name.startswith(tuple(f"{stem}." for stem in stems)):
            (folder / CHECKPOINT).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / CHECKPOINT)
    return folder


def edit_record(results: Path, stem: str, **changes: Any) -> None:
    """Change fields of a record; a dictionary is merged into the field."""
    path = results / CHECKPOINT / f"{stem}.json"
    record = json.loads(path.read_text())
    for name, value in changes.items():
        record[name] = {**(record[name] or {}), **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(record))


def predict_otherwise(
    results: Path, stem: str, change: Callable[[dict[Any, Any]], dict[Any, Any]]
) -> None:
    """Replace the predictions that `change` returns, given all of them by id, and score the run.

    NLVR2's are given, and may be returned, without their logits.
    """
    path = results / CHECKPOINT / f"{stem}.predictions.jsonl"
    head, *lines = path.read_text().splitlines()
    entries = {entry["id"]: entry for entry in map(json.loads, lines)}
    for id, prediction in change(
        {id: _answer(entry["prediction"]) for id, entry in entries.items()}
    ).items():
        entries[id] = {**entries.get(id, {"id": id}), "prediction": prediction}
    entries = [
        json.dumps(entry, separators=(",", ":"), ensure_ascii=False) for entry in entries.values()
    ]
    path.write_text("\n".join([head, *entries]) + "\n")
    task, split = stem.split(".")
    assert main(["run", "--task", task, "--split", split, "--out", str(results)]) == 0


def _answer(prediction: Any) -> Any:
    return prediction.get("answer", prediction) if isinstance(prediction, dict) else prediction


def truths(task: str, split: str) -> dict[Any, Any]:
    """The correct predictions of a split of the embedded benchmark (NLVR2 only)."""
    from harness.registry import find_task
    from harness.shapes.benchmark import embedded_data

    samples = find_task(task).load(embedded_data(), split)
    if task == "nlvr2":
        return {sample.id: sample.label for sample in samples}
    raise AssertionError(task)
