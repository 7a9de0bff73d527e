"""Who may import whom (see CONTRIBUTING.md), and what a command may load."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.support.loaded import HEAVY, loaded_after, loaded_by

ROOT = Path(__file__).parent.parent.parent
FLOORS = (  # from the top down: a folder imports only folders below its own line
    ("cli",),
    ("api", "export"),
    ("bench", "report"),
    ("running", "doctor"),
    ("data",),
    ("registry",),
    ("drift", "tables", "shapes", "tasks"),
    ("models", "records", "task", "plugin_models"),
    ("family",),
    ("formats", "checkpoints", "sample_view"),
    ("engine", "metrics", "images", "plugins"),
    ("files",),
    (
        "capabilities",
        "workload",
        "dataset",
        "statistics",
        "rendering",
        "callbacks",
    ),
    ("errors",),
)
WITH_TORCH = (
    "engine",
    "models",
    "bench",
    "running/processes/torchrun.py",
    "running/processes/rendezvous.py",
    "shapes/training",
    "doctor/machine.py",
)


def modules(*places: str) -> list[Path]:
    paths = [ROOT / place for place in places]
    return [
        module
        for path in paths
        for module in (sorted(path.rglob("*.py")) if path.is_dir() else [path])
    ]


@cache
def nodes(module: Path) -> list[ast.AST]:
    """The nodes of a file's syntax that these tests look at."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    kinds = (ast.Import, ast.ImportFrom, ast.Call)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def imported(module: Path) -> set[str]:
    """Every module that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def room(name: str) -> str | None:
    """The folder (or file) of `harness` that a module belongs to; `tasks` is one of them."""
    first, *rest = name.split(".")
    if first == "tasks":
        return first
    return rest[0] if first == "harness" and rest else None


FLOOR = {name: len(FLOORS) - number for number, names in enumerate(FLOORS) for name in names}


def test_every_folder_has_its_floor():
    rooms = {
        room(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in modules("harness", "tasks")
    }
    assert rooms - {"__init__"} == FLOOR.keys()


@pytest.mark.parametrize("name", FLOOR)
def test_every_import_points_down(name):
    places = [f"harness/{name}", f"harness/{name}.py"] if name != "tasks" else ["tasks"]
    upward = {
        f"{module.relative_to(ROOT)} imports {other}"
        for module in modules(*(place for place in places if (ROOT / place).exists()))
        for other in imported(module)
        if (target := room(other)) in FLOOR and target != name and FLOOR[target] >= FLOOR[name]
    }
    assert upward == set()


def test_fusion_does_not_know_the_families_built_on_it():
    known = {name for module in modules("harness/models/fusion") for name in imported(module)}
    assert not {
        name
        for name in known
        if name.startswith("harness.models.") and not name.startswith("harness.models.fusion")
    }


def test_torch_stays_where_it_is_needed():
    importing = {
        module.relative_to(ROOT / "harness").as_posix()
        for module in modules("harness")
        if imported(module) & {"torch", "transformers", "tokenizers"}
    }
    assert {path for path in importing if not path.startswith(WITH_TORCH)} == set()
    assert not {name for module in modules("tasks") for name in imported(module)} & {
        "torch",
        "transformers",
    }


def test_files_import_one_another_in_no_circle():
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in modules("harness", "tasks")
    }
    left = {
        name: {other for other in imported(path) if other in names and other != name}
        for name, path in names.items()
    }
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_only_the_command_line_and_the_training_print():
    printing = {
        module.relative_to(ROOT).as_posix()
        for module in modules("harness", "tasks")
        for node in nodes(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    training = {f"harness/shapes/training/{name}.py" for name in ("train", "heads")}
    assert all(module.startswith("harness/cli/") for module in printing - training)


def test_help_loads_nothing_heavy_and_few_modules_at_all():
    loaded = loaded_by("--help")
    assert not loaded & HEAVY
    assert len(loaded) < 120


def test_what_reads_records_never_loads_torch():
    commands = [
        ["list"],
        ["data"],
        ["data", "--layout"],
        ["fetch", "--task", "ovad", "--data", "nowhere"],
        ["table", "--format", "json"],
        ["table", "--format", "md"],
    ]
    for command, loaded in zip(commands, loaded_after(*commands), strict=True):
        assert not loaded & {"torch", "transformers", "datasets"}, command
