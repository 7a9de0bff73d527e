"""`run --log`: metrics in an experiment tracker, by stubs of its package."""

import doctest
import json
import sys

import pytest

from harness.cli.main import main
from harness.export import trackers
from harness.running import evaluate

STUB = """
import json, os

def note(*event):
    with open(os.environ["STUB_LOG"], "a") as file:
        file.write(json.dumps(event) + "\\n")

def once(known, new):
    for name, value in new.items():
        if known.setdefault(name, value) != value:
            raise ValueError(f"attempted to change {name}")

class Config(dict):
    def update(self, new):
        once(self, new)

params = {}

def init(*, project, name, config):
    note("init", project, name, config["checkpoint"], config["data"], config["settings.dtype"])

    globals()["config"] = Config(config)

def log(numbers):
    note("log", numbers)

def finish():
    note("finish", config)

def start_run(*, run_name):
    note("start_run", run_name)

def log_params(new):
    once(params, new)
    note("log_params", new)

def log_metrics(numbers):
    note("log", numbers)

def end_run():
    note("end_run")
"""
BROKEN = "def init(**options):\n    raise ConnectionError('no network')\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that writes a stub of a package, and one that reads what it noted."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STUB_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("WANDB_PROJECT", raising=False)

    def write(name, content=STUB):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(content)

    yield write
    for name in trackers.TRACKERS:
        sys.modules.pop(name, None)


def run(tmp_path, *arguments):
    return main(
        ["run", "--task", "refcoco+", "--split", "val,testA", "--limit", "5",
         "--out", str(tmp_path / "runs"), *arguments]
    )  # fmt: skip


def events(tmp_path):
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_command_is_one_run_in_the_tracker(name, install, tmp_path):
    install(name)
    assert run(tmp_path, "--log", name) == 0
    begin, first, second, end = events(tmp_path)
    assert begin == ["init", "xvlm-eval", "xvlm-shapes", "xvlm-shapes", "shapes", "float32"]
    record = json.loads((tmp_path / "runs/xvlm-shapes/refcoco+.val.limit-5.json").read_text())
    low, high = record["intervals"]["accuracy"]
    assert first[1] == {
        "refcoco+/val.limit-5/accuracy": record["metrics"]["accuracy"],
        "refcoco+/val.limit-5/accuracy_low": low,
        "refcoco+/val.limit-5/accuracy_high": high,
    }
    assert "refcoco+/testA.limit-5/accuracy" in second[1] and end[0] == "finish"


def test_what_a_tracker_prints_is_no_result(install, tmp_path, capsys):
    install("trackio", STUB.replace("def note(*event):", "def note(*event):\n    print('hello')"))
    assert run(tmp_path, "--log", "trackio", "--format", "json") == 0
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)["results"]) == 2
    assert shown.err.count("hello\n") == 4  # begin, two results, end


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_each_task_has_the_hash_of_its_own_weights(name, install, tmp_path):
    install(name)
    flags = ["--split", "val", "--limit", "5", "--out", str(tmp_path / "runs"), "--log", name]
    assert main(["run", "--task", "refcoco+,vqav2", *flags]) == 0
    noted = [event[1] for event in events(tmp_path) if event[0] in ("finish", "log_params")]
    stated = {key: value for part in noted for key, value in part.items()}
    for task in ("refcoco+", "vqav2"):
        (path,) = (tmp_path / "runs" / "xvlm-shapes").glob(f"{task}.*.limit-5.json")
        sha256 = json.loads(path.read_text())["checkpoint"]["sha256"]
        title = path.stem.replace(".", "/", 1)
        key = f"{title if name == 'wandb' else title.replace('+', 'plus')}/checkpoint_sha256"
        assert stated[key] == sha256
    assert "checkpoint_sha256" not in stated


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_results_of_other_batch_sizes_are_logged(name, install, tmp_path, monkeypatch, capsys):
    install(name)
    sizes = iter([4, 2])
    monkeypatch.setattr(evaluate, "agree_on_batch_size", lambda *_: next(sizes))
    assert run(tmp_path, "--log", name) == 0
    assert "--log" not in capsys.readouterr().err
    logged = [event[1] for event in events(tmp_path) if event[0] == "log"]
    assert ["val" in str(each) for each in logged] == [True, False]


def test_mlflow_gets_names_that_it_allows(install, tmp_path):
    install("mlflow")
    assert run(tmp_path, "--log", "mlflow", "--split", "val") == 0
    begin, parameters, of_result, first, *_, end = events(tmp_path)
    assert begin == ["start_run", "xvlm-shapes"]
    assert parameters[1]["checkpoint"] == "xvlm-shapes"
    assert of_result[1]["refcocoplus/val.limit-5/protocol"].startswith("iou>=0.5|")
    assert "refcocoplus/val.limit-5/accuracy" in first[1] and end == ["end_run"]
    assert doctest.testmod(trackers).failed == 0


def test_nothing_is_imported_unless_it_is_asked_for(install, tmp_path):
    install("wandb")
    assert run(tmp_path) == 0
    assert "wandb" not in sys.modules and not (tmp_path / "log").exists()


def test_an_absent_package_is_named_before_anything_is_predicted(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "trackio", None)
    assert run(tmp_path, "--log", "trackio") == 3
    assert "install it with `pip install trackio`" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_tracker_that_fails_costs_no_result(install, tmp_path, capsys):
    install("wandb", BROKEN)
    assert run(tmp_path, "--log", "wandb") == 0
    shown = capsys.readouterr()
    assert "--log wandb: ConnectionError: no network; the result is kept" in shown.err
    assert "accuracy" in shown.out
    assert (tmp_path / "runs/xvlm-shapes/refcoco+.val.limit-5.json").exists()
