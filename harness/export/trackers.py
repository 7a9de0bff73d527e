"""Experiment trackers for `run --log`: one run in the tracker for each command.

The user installs the package of a tracker; it is imported only for `--log`. Its own settings
determine what it sends or stores (WANDB_MODE, WANDB_PROJECT, MLFLOW_TRACKING_URI, ...).
"""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from harness.callbacks import Warn
from harness.errors import MissingError
from harness.records.record import ResultRecord

PROJECT = "xvlm-eval"


class Tracker(Protocol):
    """An experiment tracker."""

    def log(self, record: ResultRecord) -> None:
        """Log the metrics of a result, and their intervals."""
        ...

    def close(self) -> None:
        """End the run."""
        ...


class WandbTracker:
    """Weights & Biases; trackio has the same interface."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._begun = module, False

    def log(self, record: ResultRecord) -> None:
        """Log a result; the first one begins the run."""
        if not self._begun:
            project = os.environ.get("WANDB_PROJECT", PROJECT)
            name = str(record.checkpoint["name"])
            config = {**facts(record), **split_facts(record)}
            self._module.init(project=project, name=name, config=config)
            self._begun = True
        else:
            self._module.config.update(split_facts(record))
        self._module.log(numbers(record))

    def close(self) -> None:
        """End the run, if there is one."""
        if self._begun:
            self._module.finish()


class MLflowTracker:
    """MLflow, in the experiment that it is configured for."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._begun = module, False

    def log(self, record: ResultRecord) -> None:
        """Log a result; the first one begins the run."""
        if not self._begun:
            self._module.start_run(run_name=str(record.checkpoint["name"]))
            self._module.log_params(facts(record))
            self._begun = True
        parameters = split_facts(record)
        self._module.log_params({_mlflow_name(name): value for name, value in parameters.items()})
        self._module.log_metrics(
            {_mlflow_name(name): value for name, value in numbers(record).items()}
        )

    def close(self) -> None:
        """End the run, if there is one."""
        if self._begun:
            self._module.end_run()


TRACKERS: Mapping[str, Callable[[ModuleType], Tracker]] = {
    "wandb": WandbTracker,
    "trackio": WandbTracker,
    "mlflow": MLflowTracker,
}


@contextmanager
def logging(names: Sequence[str], *, warn: Warn) -> Iterator[Callable[[ResultRecord], None]]:
    """Yield the function that logs a record with each of the trackers.

    If a tracker fails, for example without a network, it warns only: the result is on disk.
    Raises MissingError where a package is not installed.
    """
    trackers = {name: open_tracker(name) for name in dict.fromkeys(names)}

    def call(name: str, action: Callable[[], None]) -> None:
        try:
            with redirect_stdout(sys.stderr):  # standard output is for results, as JSON perhaps
                action()
        except Exception as error:  # trackers raise dozens of kinds
            warn(f"--log {name}: {type(error).__name__}: {str(error)[:300]}; the result is kept")

    def log(record: ResultRecord) -> None:
        for name, tracker in trackers.items():
            call(name, partial(tracker.log, record))

    try:
        yield log
    finally:
        for name, tracker in trackers.items():
            call(name, tracker.close)


def open_tracker(name: str) -> Tracker:
    """Return a tracker of TRACKERS. Raises MissingError where its package is not installed."""
    try:
        module = import_module(name)
    except ImportError as error:
        raise MissingError(
            f"--log {name}: the package {name} cannot be imported ({error}); "
            f"install it with `pip install {name}`, or leave out --log"
        ) from error
    return TRACKERS[name](module)


def numbers(record: ResultRecord) -> dict[str, float]:
    """Return the metrics of a result by `task/split/metric`, with `_low` and `_high` of intervals.

    A subset is not a result: its names carry its size.
    """
    named: dict[str, float] = {}
    for metric, value in record.metrics.items():
        name = f"{_title(record)}/{metric}"
        named[name] = value
        if (interval := record.intervals.get(metric)) is not None:
            named[f"{name}_low"], named[f"{name}_high"] = interval
    return named


def facts(record: ResultRecord) -> dict[str, Any]:
    """Return what the results of one command have in common."""
    return {
        "checkpoint": str(record.checkpoint["name"]),
        "data": record.data["name"],
        **{f"settings.{key}": value for key, value in record.settings.items()},
        **{
            f"software.{key}": value
            for key, value in record.software.items()
            if key != "batch_size"
        },
    }


def split_facts(record: ResultRecord) -> dict[str, Any]:
    """Return what may differ between the results of a command: an entry has a file for each task.

    Trackers refuse another value under a name that they know, so each result has names of its own.
    """
    values = {
        "checkpoint_sha256": record.checkpoint.get("sha256"),
        "protocol": record.protocol,
        "batch_size": record.software.get("batch_size"),
    }
    return {f"{_title(record)}/{name}": value for name, value in values.items()}


def _title(record: ResultRecord) -> str:
    part = f".limit-{record.subset.limit}" if record.subset else ""
    return f"{record.task}/{record.split}{part}"


def _mlflow_name(name: str) -> str:
    """Return a name of the letters that MLflow allows.

    >>> _mlflow_name("refcoco+/val/accuracy")
    'refcocoplus/val/accuracy'
    """
    return re.sub(r"[^\w\-./ ]", "_", name.replace("+", "plus"))
