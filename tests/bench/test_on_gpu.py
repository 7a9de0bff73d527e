"""The measurement on a GPU, prepared where there is none: its commands exist, its limit holds."""

from importlib import import_module
from pathlib import Path

import pytest

from harness.cli.main import parser
from harness.engine.device import choose_device
from tests import gpu_paths
from tests.on_gpu import SECONDS, Step, last_lines, run, steps

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("dry", [False, True], ids=["on a GPU", "dry"])
def test_every_command_exists_and_is_understood(tmp_path, dry):
    for step in steps(tmp_path, dry=dry):
        assert step.arguments[0] == "-m" and import_module(step.arguments[1])
        if "xvlm_eval" in step.arguments:
            options = parser().parse_args(list(step.arguments[2:]))
            assert options.device == ("cpu" if dry else "cuda")
        tests = [word for word in step.arguments if word.startswith("tests/")]
        assert all((ROOT / path).exists() for path in tests)


def test_steps_before_the_time_left_over_fit_into_the_time(tmp_path):
    limits = {step.name: step.limit for step in steps(tmp_path)}
    names = list(limits)
    needed = names[: names.index("goldens-plain")]
    assert needed == ["kernels", "files-tf32", "paths", "goldens", "files-float16", "read-ahead"]
    assert sum(limits[name] for name in needed) <= SECONDS == 480


def test_every_variable_of_a_step_is_one_that_a_device_or_a_run_reads(tmp_path, monkeypatch):
    environments = [step.environment for step in steps(tmp_path)]
    trials = [path for trial in gpu_paths.TRIALS for path in trial.paths.values()]
    for environment in (*environments, *trials):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert choose_device("cpu", "float32").name.startswith("cpu")
    documented = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    names = {name for environment in (*environments, *trials) for name in environment}
    assert all(f"`{name}`" in documented for name in names - {"XVLM_EVAL_TEST_DEVICE"})


def test_a_step_keeps_to_its_own_limit_and_its_last_lines_are_shown(tmp_path):
    code = "import time; [print(n, flush=True) for n in range(99)]; time.sleep(60)"
    step = Step("slow", {}, ["-c", code], limit=1)
    assert run(step, tmp_path, 60) == "stopped after 1 s"
    assert last_lines(step, tmp_path)[-1:] in (["98"], [])
    assert last_lines(Step("none", {}, []), tmp_path) == []


def test_a_step_that_takes_too_long_keeps_what_it_printed(tmp_path):
    code = "import time; print('first', flush=True); time.sleep(60)"
    assert run(Step("slow", {}, ["-c", code]), tmp_path, 0.5) == "stopped after 0 s"
    assert (tmp_path / "slow.txt").read_text() in ("first\n", "")


def test_a_step_has_its_environment_and_tells_how_it_ended(tmp_path):
    code = "import os; print(os.environ['XVLM_EVAL_FUSED']); raise SystemExit(3)"
    ended = run(Step("told", {"XVLM_EVAL_FUSED": "auto"}, ["-c", code]), tmp_path, 60)
    assert ended.startswith("ended with code 3 after ")
    assert (tmp_path / "told.txt").read_text() == "auto\n"


def test_no_step_begins_when_the_time_is_over(tmp_path):
    assert run(Step("late", {}, ["-c", ""]), tmp_path, 0) == "left out, the time is over"
    assert not (tmp_path / "late.txt").exists()
