"""The composite GitHub Action: what it installs is enough for a check, and nothing is pinned."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def test_it_uses_no_action_but_the_one_that_sets_up_python():
    steps = ACTION["runs"]["steps"]
    assert ACTION["runs"]["using"] == "composite"
    assert [step["uses"].split("@")[0] for step in steps if "uses" in step] == [
        "actions/setup-python"
    ]
    assert ACTION["inputs"].keys() == {"results", "baseline", "args", "python-version"}


def test_it_installs_what_it_is_tested_with():
    named = set(re.findall(r'"([a-z]+)>=', ACTION["runs"]["steps"][1]["run"]))
    assert named == {"numpy", "tabulate", "pyyaml", "filelock", "msgspec"}


def test_a_check_needs_nothing_else(finished):
    blocked = [
        "torch",
        "transformers",
        "datasets",
        "PIL",
        "pycocoevalcap",
        "pycocotools",
        "safetensors",
        "rich",
        "pyarrow",
        "pandas",
        "requests",
        "packaging",
    ]
    program = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker())
from harness.cli.main import main
sys.exit(main(["check", {str(finished)!r}, "--baseline", {str(finished)!r}, "--require-all"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
