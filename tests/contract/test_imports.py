"""Who may import whom (see CONTRIBUTING.md), and what a command may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"torch", "transformers", "datasets", "pandas", "numpy", "PIL", "yaml", "rich", "tabulate", "safetensors"}
WITHOUT_TORCH = (
    "harness/metrics",
    "harness/formats",
    "tasks",
    "harness/errors.py",
    "harness/records/record.py",
    "harness/tables/comparison.py",
    "harness/report.py",
    "harness/task.py",
    "harness/capabilities.py",
    "harness/checkpoints.py",
    "harness/registry.py",
    "harness/records/predictions.py",
    "harness/statistics",
    "harness/tables/paper.py",
    "harness/records/sample_scores.py",
    "harness/records/stored.py",
    "harness/drift/baselines.py",
    "harness/drift/samples.py",
    "harness/drift/environment.py",
    "harness/drift/check.py",
    "harness/drift/report.py",
    "harness/drift/diff.py",
    "harness/files/parsing.py",
    "harness/running/pinned.py",
    "harness/cli/arguments.py",
    "harness/cli",
    "harness/running/rescore.py",
    "harness/running/import_score.py",
    "harness/files/paths.py",
    "harness/records/provenance.py",
    "harness/data",
    "harness/running/distributed.py",
    "harness/running/shards.py",
    "harness/workload.py",
    "harness/running/predict.py",
    "harness/running/forecast.py",
)


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
        (WITHOUT_TORCH, ["torch", "transformers"]),
        (["tasks"], ["harness.models", "harness.engine", "harness.running.evaluate", "harness.shapes"]),
        (
            ["harness/models"],
            ["tasks", "harness.running.evaluate", "harness.records.predictions", "harness.records.record", "harness.shapes"],
        ),
        (
            [
                "harness/tables/comparison.py",
                "harness/report.py",
                "harness/records/record.py",
                "harness/tables/paper.py",
                "harness/drift/check.py",
                "harness/drift/diff.py",
                "harness/drift/report.py",
                "harness/drift/samples.py",
                "harness/drift/environment.py",
                "harness/records/stored.py",
                "harness/records/sample_scores.py",
                "harness/statistics",
            ],
            ["tasks", "harness.task", "harness.registry"],
        ),
        (["harness/metrics"], ["tasks", "harness.models", "harness.formats", "harness.engine"]),
        (["harness/models", "harness/engine", "tasks", "harness/running/evaluate.py", "harness/running/launch.py"], ["harness.bench"]),
        (
            ["harness/bench"],
            ["tasks", "harness.running.evaluate", "harness.records.predictions", "harness.records.record", "harness.shapes"],
        ),
        (["harness/engine"], ["tasks", "harness.models", "harness.running.evaluate", "harness.shapes"]),
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
    training = {f"harness/shapes/training/{name}.py" for name in ("train", "heads")}
    assert all(module.startswith("harness/cli/") for module in printing - training)


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        "from harness.cli.main import main\n"
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
