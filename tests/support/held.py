"""Hold process 0 back in its first batch until all others are done, by no clock.

`run_held` is the command, held back in every split; what each process predicted is counted in files
of the folder that the environment variable `COUNTS` names.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from harness.cli.main import main
from harness.running import evaluate
from harness.running.context import Context
from harness.running.predict import predict
from harness.running.processes.shards import ShardedPredictions
from harness.running.run import Run
from harness.running.skipped import reasons
from harness.task import Sample


def predict_held(
    run: Run,
    model: Any,
    samples: Sequence[Sample],
    predictions: ShardedPredictions,
    context: Context,
    **options: Any,
) -> int:
    """Predict as `predict` does, but let process 0 compute one batch, and the others the rest."""
    group = context.group
    begun, others_done = f"{run.title}: process 0 has begun", f"{run.title}: others are done"

    def hold(done: int, total: int) -> None:
        context.report(done, total)
        if len(reasons(new())) == len(new()):  # a gallery's come before its features are gathered
            return
        if group.rank == 0:
            group.count(begun, 1)
            wait_for(others_done, group.size - 1)
        else:
            wait_for(begun, 1)

    def new() -> dict[Any, Any]:
        done = predictions.file.done
        return {id: done[id] for id in done.keys() - predictions.before}

    def wait_for(name: str, number: int) -> None:
        while group.count(name, 0) < number:
            time.sleep(0.01)

    fitting = predict(run, model, samples, predictions, replace(context, report=hold), **options)
    group.count(begun if group.rank == 0 else others_done, 1)
    if folder := os.environ.get("COUNTS"):
        Path(folder, f"{run.task.name} {run.split} {group.rank}").write_text(str(len(new())))
    return fitting


def run_held(arguments: Sequence[str]) -> None:
    """Run the command in a process that has imported it, held back."""
    torch.set_num_threads(1)  # the cores are shared by many runs
    evaluate.predict = predict_held  # type: ignore[attr-defined]
    if code := main(arguments):
        sys.exit(code)
