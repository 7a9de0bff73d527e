"""Who may import whom (see CONTRIBUTING.md), and what a command may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"torch", "transformers", "datasets", "pandas", "numpy", "PIL", "yaml", "rich", "tabulate", "safetensors"}
WITHOUT_TORCH = ("harness/metrics", "harness/sources", "tasks", "harness/errors.py", "harness/results.py", "harness/table.py",
                 "harness/report.py", "harness/task.py", "harness/capabilities.py", "harness/checkpoints.py",
                 "harness/registry.py", "harness/predictions.py", "harness/statistics", "harness/paper.py",
                 "harness/contributions.py", "harness/beside.py", "harness/baselines.py", "harness/changes.py",
                 "harness/circumstances.py", "harness/drift.py",
                 "harness/drift_report.py", "harness/diff.py",
                 "harness/reading.py", "harness/first_use.py", "harness/arguments.py", "harness/cli.py", "harness/verbs",
                 "harness/score.py", "harness/server.py", "harness/places.py", "harness/provenance.py",
                 "harness/data", "harness/fetch", "harness/hub",
                 "harness/crew.py", "harness/parts.py", "harness/demand.py", "harness/predict.py", "harness/planning.py")  # fmt: skip


def modules(*places: str) -> list[Path]:
    paths = [ROOT / place for place in places]
    return [module for path in paths for module in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


def imported(module: Path) -> set[str]:
    """Every module that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def offenders(places, forbidden):
    return {
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules(*places)
        for name in imported(module)
        if any(name == prefix or name.startswith(prefix + ".") for prefix in forbidden)
    }


@pytest.mark.parametrize(
    ("places", "forbidden"),
    [
        (["harness", "tasks"], ["harness.cli"]),
        (["harness", "tasks"], ["harness.verbs.running", "harness.verbs.results", "harness.verbs.supplies"]),
        (WITHOUT_TORCH, ["torch", "transformers"]),
        (["tasks"], ["harness.models", "harness.inference", "harness.evaluate", "harness.shapes"]),
        (["harness/models"], ["tasks", "harness.evaluate", "harness.predictions", "harness.results", "harness.shapes"]),
        (
            [
                "harness/table.py",
                "harness/report.py",
                "harness/results.py",
                "harness/paper.py",
                "harness/drift.py",
                "harness/diff.py",
                "harness/drift_report.py",
                "harness/changes.py",
                "harness/circumstances.py",
                "harness/beside.py",
                "harness/contributions.py",
                "harness/statistics",
            ],
            ["tasks", "harness.task", "harness.registry"],
        ),
        (["harness/metrics"], ["tasks", "harness.models", "harness.sources", "harness.inference"]),
        (["harness/models", "harness/inference", "tasks", "harness/evaluate.py", "harness/launch.py"], ["harness.bench"]),
        (["harness/bench"], ["tasks", "harness.evaluate", "harness.predictions", "harness.results", "harness.shapes"]),
        (["harness/inference"], ["tasks", "harness.models", "harness.evaluate", "harness.shapes"]),
    ],
    ids=lambda value: "+".join(value) if len(value) < 4 else "the rest",
)
def test_arrows_point_one_way(places, forbidden):
    assert offenders(places, forbidden) == set()


def test_only_the_command_line_and_the_training_print():
    printing = {
        module.relative_to(ROOT).as_posix()
        for module in modules("harness", "tasks")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert all(module.startswith("harness/verbs/") for module in printing - {"harness/shapes/train.py", "harness/shapes/heads.py"})


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        "from harness.cli import main\n"
        f"sys.exit(main({list(arguments)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


def test_help_loads_nothing_heavy_and_few_modules_at_all():
    loaded = loaded_by("--help")
    assert not loaded & HEAVY
    assert len(loaded) < 120


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["data"],
        ["data", "--layout"],
        ["fetch", "--task", "ovad", "--data", "nowhere"],
        ["table", "--format", "json"],
        ["table", "--format", "md"],
    ],
)
def test_what_reads_records_never_loads_torch(arguments):
    assert not loaded_by(*arguments) & {"torch", "transformers", "datasets"}
