"""Runs of a command on the CPU, planned and carried out."""

import pytest

from harness.callbacks import no_progress
from harness.data.resolve import resolve_data
from harness.running.launch import agree_on_plan, run_all
from harness.running.planning import Request
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Speed


def plan_of(data, out, group=None, **changes):
    """Return the plan of a run of RefCOCO+ on `data`; None: on the embedded benchmark."""
    request = dict(
        tasks=["refcoco+"], splits=["val"], checkpoint="xvlm-shapes",
        data=resolve_data(str(data) if data else None),
        out=out / "out", speed=Speed(batch_size=4), device="cpu", dtype="float32",
    )  # fmt: skip
    group = group or SingleProcess()
    return agree_on_plan(Request(**{**request, **changes}), group, progress=no_progress)


def outcomes_of(plan, group=None):
    """Carry out a plan without warnings; return the outcomes."""
    group = group or SingleProcess()
    return list(run_all(plan, group, progress=no_progress, warn=pytest.fail))
