"""The measurement on a GPU, prepared where there is none: its commands exist, its limit holds."""

from harness.cli.main import parser
from tests.on_gpu import Step, run, steps


def test_every_command_of_the_project_is_understood(tmp_path):
    commands = [step.arguments for step in steps(tmp_path) if "xvlm_eval" in step.arguments]
    assert len(commands) == 4
    for words in commands:
        options = parser().parse_args(list(words[2:]))
        assert options.device == "cuda"


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
