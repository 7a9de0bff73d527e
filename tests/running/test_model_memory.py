"""The models of a command: one at a time is in memory."""

import weakref

import pytest

from harness.callbacks import no_progress
from harness.data.resolve import Embedded
from harness.running import launch
from harness.running.planning import Request, make_plan
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Speed


@pytest.mark.parametrize("forecast", [False, True], ids=["run", "forecast"])
def test_a_model_is_gone_before_that_of_the_next_task_is_loaded(tmp_path, monkeypatch, forecast):
    load, models = launch._load, []

    def load_one(run):
        assert not any(model() for model in models), "two models are in memory"
        models.append(weakref.ref(model := load(run)))
        return model

    monkeypatch.setattr(launch, "_load", load_one)
    plan = make_plan(
        Request(
            tasks=["vqav2", "ovad", "nlvr2"],  # the first two keep caches of answers and sentences
            splits=[],
            checkpoint=None,
            data=Embedded(),
            out=tmp_path,
            speed=Speed(batch_size=2),
            device="cpu",
            dtype="float32",
            limit=2,
        )
    )
    if forecast:
        outcomes = launch.forecast_all(plan)
    else:
        outcomes = launch.run_all(plan, SingleProcess(), progress=no_progress, warn=print)
    assert (sum(1 for _ in outcomes), len(models)) == (6, 3)
