"""The examples of docs/adding-a-model.md and docs/adding-a-task.md, run as they stand."""

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from harness import capabilities
from harness.capabilities import Model
from harness.cli.main import main
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from harness.task import Task
from tasks import TASKS

ROOT = Path(__file__).parents[2]
MODEL_PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
TASK_PAGE = (ROOT / "docs" / "adding-a-task.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    """Return the one code block of a page in a language."""
    (content,) = re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.M | re.S)
    return content


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs the package of a page: its module and its entry points."""
    modules = []

    def installed(page: str) -> None:
        ((group, points),) = tomllib.loads(block(page, "toml"))["project"]["entry-points"].items()
        ((name, target),) = points.items()
        module = target.split(":")[0]
        assert f"`{module}.py`:" in page
        (tmp_path / f"{module}.py").write_text(block(page, "python"), encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
        modules.append(module)

    monkeypatch.syspath_prepend(str(tmp_path))
    yield installed
    for module in modules:
        sys.modules.pop(module, None)


def test_the_model_of_the_page_is_evaluated(install, tmp_path, monkeypatch, capsys):
    """By its path, and by an entry of the user's own."""
    install(MODEL_PAGE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(block(MODEL_PAGE, "yaml"), encoding="utf-8")
    (tmp_path / "box.json").write_text(block(MODEL_PAGE, "json"), encoding="utf-8")
    commands = re.findall(r"^xvlm-eval (run .*)$", MODEL_PAGE, flags=re.M)
    for command, name in zip(commands, ("box", "centre-box"), strict=True):
        assert main([*command.split(), "--limit", "40", "--out", "runs"]) == 0
        record = json.loads((tmp_path / "runs" / name / "refcoco+.testB.limit-40.json").read_text())
        assert 0 < record["metrics"]["accuracy"] < 50
        assert record["protocol"].endswith("|constant-box|64px|bicubic")
    capsys.readouterr()
    assert main(["list"]) == 0
    assert "constant-box" in capsys.readouterr().out


def test_the_task_of_the_page_is_evaluated_and_scored(install, tmp_path, capsys):
    install(TASK_PAGE)
    shapes, data, out = embedded_data().root, tmp_path / "data", tmp_path / "runs"
    instances = json.loads((shapes / "refcoco+" / "instances.json").read_text())
    image = instances["images"][0]
    boxes = [a["bbox"] for a in instances["annotations"] if a["image_id"] == image["id"]]
    (data / "images" / "photos").mkdir(parents=True)
    (data / "photos").mkdir()
    (picture,) = (shapes / "images").rglob(image["file_name"])
    shutil.copy(picture, data / "images" / "photos" / "a.png")
    size = [image["width"], image["height"]]
    rows = [
        {"id": number, "image": "a.png", "text": "the red square", "box": box, "size": size}
        for number, box in enumerate(boxes)
    ]
    (data / "photos" / "test.json").write_text(json.dumps(rows), encoding="utf-8")
    weights = ROOT / "harness" / "shapes" / "weights" / "refcoco+.safetensors"
    commands = re.findall(r"^xvlm-eval (.* --task photos .*)$", TASK_PAGE, flags=re.M)
    assert [command.split()[0] for command in commands] == ["data", "run"]
    words = {"DATA": str(data), "refcoco.th": str(weights)}
    listing, run = ([words.get(word, word) for word in command.split()] for command in commands)
    assert main(listing) == 0
    assert main([*run, "--out", str(out)]) == 0
    record = json.loads((out / "refcoco+" / "photos.test.json").read_text())
    assert record["n"] == len(boxes)
    assert record["protocol"].startswith("iou>=0.5|bbox|")
    assert "accuracy" in record["intervals"]
    baseline = shutil.copytree(out, tmp_path / "baseline")
    assert main(["check", str(out), "--baseline", str(baseline)]) == 0

    true = []
    for row in rows:
        x, y, w, h = row["box"]
        box = [(x + w / 2) / size[0], (y + h / 2) / size[1], w / size[0], h / size[1]]
        true.append({"id": row["id"], "box": box})
    (tmp_path / "true.json").write_text(json.dumps(true), encoding="utf-8")
    capsys.readouterr()
    scored = ["--task", "photos", "--split", "test", "--predictions", str(tmp_path / "true.json")]
    assert main(["score", *scored, "--data", str(data), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] == {"accuracy": 100.0}


def members(kind: type) -> set[str]:
    """Return the public members that a class itself declares."""
    return {name for name in {*vars(kind), *kind.__annotations__} if not name.startswith("_")}


def test_every_member_of_a_model_is_in_the_table():
    assert members(Model) <= set(re.findall(r"^\| `(\w+)", MODEL_PAGE, flags=re.M))


@pytest.mark.parametrize(
    "name", sorted({need.__name__ for task in TASKS for need in find_task(task).needs})
)
def test_every_capability_is_in_the_table_with_its_method_and_its_tasks(name):
    (row,) = re.findall(rf"^\| `{name}` \|.*$", MODEL_PAGE, flags=re.M)
    _, _, method, _, tasks, _ = row.split("|")
    assert set(re.findall(r"`(\w+)[`(]", method)) == members(getattr(capabilities, name))
    needing = {
        task.name
        for task in map(find_task, TASKS)
        if name in [need.__name__ for need in task.needs] and not task.weights_of
    }
    assert set(re.findall(r"`(.+?)`", tasks)) == needing


def test_every_member_of_a_task_is_in_the_table():
    table = TASK_PAGE.split("## What each member is for")[1]
    cells = " ".join(re.findall(r"^\| (`.*?) \|", table, flags=re.M))
    assert members(Task) - {"answer"} <= set(re.findall(r"`(\w+)", cells))
