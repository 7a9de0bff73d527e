"""The composite GitHub Action: its steps are run here as GitHub runs them, in a scratch folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.tampered import committed, edit, file_of

ROOT = Path(__file__).parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {
    step.get("name", step.get("uses", "").split("@")[0]): step for step in ACTION["runs"]["steps"]
}
CHECK = STEPS["Check"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
REQUIREMENTS = ROOT / ".ci/action-requirements.txt"
STEM = "nlvr2.dev"


@pytest.fixture
def step(tmp_path):
    """Run the `run:` of a step by bash, in a repository that holds a `harness` of its own."""
    work, temporary = tmp_path / "work", tmp_path / "temp"
    (work / "harness").mkdir(parents=True)
    (work / "harness/__init__.py").write_text("raise SystemExit('the caller\\'s own harness')")
    folder = temporary / "xvlm-eval/bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)

    def run(step, **inputs):
        environment = {
            "PATH": os.environ["PATH"],
            "RUNNER_TEMP": str(temporary),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "PYTHONPATH": str(work),
            "REPORT": str(temporary / "report"),
            "BASELINE": "",
            "ARGS": "",
            **{name: str(value) for name, value in inputs.items()},
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=work, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    return run


def outputs(tmp_path):
    return dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())


def test_every_action_is_pinned_by_commit_and_names_its_release():
    texts = [path.read_text() for path in (ROOT / "action.yml", *WORKFLOWS)]
    lines = [line for text in texts for line in text.splitlines() if "uses:" in line]
    assert len(lines) >= 5
    for line in lines:
        assert re.search(r"uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_every_workflow_may_only_read():
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_the_callers_python_stays_and_inputs_come_by_the_environment():
    assert ACTION["runs"]["using"] == "composite"
    assert STEPS["actions/setup-python"]["with"]["update-environment"] is False
    assert ACTION["inputs"].keys() == {"results", "baseline", "args", "python-version", "artifact"}
    assert ACTION["outputs"].keys() == {"failed", "summary", "report"}
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")


def test_versions_are_pinned_and_lie_within_those_of_the_project():
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.lower().split("==") for line in lines)
    assert pinned.keys() == {"numpy", "tabulate", "pyyaml", "filelock", "msgspec"}
    project = (ROOT / "pyproject.toml").read_text()
    for name, version in pinned.items():
        (lowest,) = re.findall(rf'"{name}>=([\d.]+)', project)
        numbers = [[int(part) for part in text.split(".")] for text in (lowest, version)]
        assert numbers[0] <= numbers[1]


def test_it_installs_into_an_environment_of_its_own(step, tmp_path):
    fake, log = tmp_path / "python with a blank", tmp_path / "log"
    fake.write_text(f'#!/bin/sh\necho "$@" >>"{log}"\n')
    fake.chmod(0o755)
    (tmp_path / "temp/xvlm-eval/bin/python").write_text(fake.read_text())
    done = step(STEPS["Install what a check needs (it runs no model)"], PYTHON=fake)
    assert done.returncode == 0, done.stderr
    made, installed = log.read_text().splitlines()
    assert made == f"-m venv {tmp_path}/temp/xvlm-eval"
    assert installed.startswith("-m pip install") and str(REQUIREMENTS) in installed


def test_a_sound_result_passes_with_outputs_a_summary_and_a_report(step, tmp_path):
    results, baseline = (committed(tmp_path / name, STEM) for name in ("a folder", "b"))
    done = step(CHECK, RESULTS=results, BASELINE=baseline)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(tmp_path)["failed"] == "false"
    assert outputs(tmp_path)["summary"].startswith("OK: of 2 cells, 2 identical")
    assert "2 identical" in (tmp_path / "summary").read_text()
    report = Path(outputs(tmp_path)["report"])
    assert {path.name for path in report.iterdir()} == {
        "check.txt", "check.md", "check.json", "check.xml",
    }  # fmt: skip
    assert "::error" not in done.stdout


def test_what_did_not_run_fails_with_an_annotation_unless_it_may_be_missing(step, tmp_path):
    results, baseline = committed(tmp_path / "r", STEM), committed(tmp_path / "b", "nlvr2")
    done = step(CHECK, RESULTS=results, BASELINE=baseline)
    assert done.returncode == 1 and outputs(tmp_path)["failed"] == "true"
    assert "::error title=xvlm-shapes nlvr2 test::missing: " in done.stdout
    assert step(CHECK, RESULTS=results, BASELINE=baseline, ARGS="--allow-missing").returncode == 0


def test_arguments_are_quoted_and_never_expanded(step, tmp_path):
    results, baseline = (committed(tmp_path / name, STEM) for name in ("r", "b"))
    folders = {"RESULTS": results, "BASELINE": baseline}
    done = step(CHECK, ARGS="--metrics 'acc*' --margin \"accuracy=0.3\"", **folders)
    assert done.returncode == 0 and "1 identical" in done.stdout
    done = step(CHECK, ARGS="--metrics accuracy,cidr", **folders)
    assert done.returncode == 0 and "metrics: cidr: neither the results" in done.stdout
    done = step(CHECK, ARGS='--checkpoint "my model $(touch pwned) `touch pwned`"', **folders)
    assert done.returncode == 1 and "no baseline of this" in done.stdout
    assert not (tmp_path / "work/pwned").exists()
    assert step(CHECK, ARGS="--metrics 'open", **folders).returncode == 2
    done = step(CHECK, ARGS="--nonsense", **folders)
    assert done.returncode == 2 and "unrecognized arguments: --nonsense" in done.stderr
    assert "::error title=xvlm-eval check::args: are not arguments of" in done.stdout
    assert outputs(tmp_path)["failed"] == "true"


def test_results_that_are_not_named_are_an_annotation(step, tmp_path):
    done = step(CHECK, RESULTS="")
    assert done.returncode == 2 and "::error title=xvlm-eval check::results: is" in done.stdout
    assert outputs(tmp_path)["failed"] == "true"


def test_a_folder_that_is_not_there_is_an_annotation(step, tmp_path):
    done = step(CHECK, RESULTS=tmp_path / "nowhere")
    assert done.returncode == 3 and "::error title=xvlm-eval check::" in done.stdout
    assert outputs(tmp_path)["failed"] == "true"


def test_nothing_of_a_result_is_interpreted_by_the_summary(step, tmp_path):
    results, baseline = (committed(tmp_path / name, STEM) for name in ("r", "b"))
    evil = "<img src=x>**OK**\n::error::forged"
    edit(results, STEM, lambda record: record["settings"].update(dtype=evil))
    edit(results, STEM, lambda record: record["not_run"].update(spice=evil))
    edit(results, STEM, lambda record: record["metrics"].update({evil: 1.0}))
    done = step(CHECK, RESULTS=results, BASELINE=baseline)
    assert done.returncode == 1
    summary = (tmp_path / "summary").read_text()
    assert "<img" not in summary and "&lt;img" in summary
    (annotation,) = [line for line in done.stdout.splitlines() if line.startswith("::error title")]
    assert "forged" in annotation
    stop, *_ = done.stdout.splitlines()
    assert stop.startswith("::stop-commands::")
    token = stop.rpartition("::")[2]
    assert done.stdout.index("forged") < done.stdout.index(f"\n::{token}::\n")


def test_an_unwritable_summary_does_not_end_the_check(step, tmp_path):
    results, baseline = (committed(tmp_path / name, STEM) for name in ("r", "b"))
    done = step(CHECK, RESULTS=results, BASELINE=baseline, GITHUB_STEP_SUMMARY=tmp_path)
    assert done.returncode == 0 and "cannot be written" in done.stderr


def test_a_check_needs_nothing_else(tmp_path):
    results, baseline = (committed(tmp_path / name, STEM) for name in ("r", "b"))
    file_of(results, STEM, ".predictions.jsonl.gz").unlink()
    blocked = [
        "torch", "transformers", "datasets", "PIL", "pycocoevalcap", "pycocotools", "safetensors",
        "rich", "pyarrow", "pandas", "requests", "packaging",
    ]  # fmt: skip
    program = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
from harness.cli.main import main
sys.exit(main(["check", {str(results)!r}, "--baseline", {str(baseline)!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
