"""What goes wrong in the code of another package is told by plugin, sample and line."""

import json
import signal

import pytest

from harness.cli.main import main
from tests.support import refcoco_files
from tests.support.plugins import BOX_MODEL, CHESS

GROUND = "        return np.full((len(expressions), 4), 0.5, dtype=np.float32)"
POINTS = {"model centre": "somebodys.plugin:load", "task chess": "somebodys.plugin:Chess"}
MODEL, TASK = "model plugin 'centre' (somebodys 1.0)", "task plugin 'chess' (somebodys 1.0)"


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that evaluates a task and returns the exit code and the last message."""
    refs = [{**ref, "split": "val"} for ref in refcoco_files.refs()]
    data = refcoco_files.write(tmp_path / "data", refs_content=refs)
    (tmp_path / "box.json").write_text("{}")

    def run(*more, task="refcoco+"):
        code = main([
            "run", "--task", task, "--split", "val", "--data", str(data), "--model", "centre",
            "--checkpoint", str(tmp_path / "box.json"), "--out", str(tmp_path / "runs"),
            "--batch-size", "2", *more,
        ])  # fmt: skip
        return code, capsys.readouterr().err

    return run


def ground(line):
    return BOX_MODEL.replace(GROUND, f"        {line}")


FAULTS = {
    "an error of the model": (
        ground("return {}[expressions[0]]"),
        f"{MODEL}: KeyError: 'red cup' (plugin.py, line 11, in ground; in the batch of samples "
        "100, 101, 102)",
    ),
    "too few boxes": (
        ground("return np.full((1, 4), 0.5, dtype=np.float32)"),
        "in predict; in the batch of samples 100, 101, 102), outside of its own code: it returned "
        "something unexpected",
    ),
    "a box that is not a number": (
        ground("return np.full((len(expressions), 4), np.nan)"),
        "the prediction of sample 100 holds a number that is not finite",
    ),
    "a list of objects": (
        ground("return [[object()]] * len(expressions)"),
        f"{MODEL}: TypeError: float() argument must be a string or a real number, not 'object'",
    ),
    "no method for the capability": (
        BOX_MODEL.replace("def ground", "def point"),
        f"{MODEL}: loads a CentreBox, which does not implement Grounder: it lacks ground",
    ),
    "no provenance": (
        BOX_MODEL.replace("protocol, device, provenance = ", "protocol, device, _ = "),
        f"{MODEL}: loads a CentreBox, which does not implement Grounder: it lacks provenance",
    ),
    "a protocol that is not a string": (
        BOX_MODEL.replace('"centre-box|32px"', "32"),
        f"{MODEL}: protocol of its model is 32, but should be a string",
    ),
    "provenance that JSON lacks": (
        BOX_MODEL.replace("{}\n", "{'weights': object()}\n", 1),
        f"{MODEL}: provenance of its model cannot be stored as JSON",
    ),
    "another signature of load": (
        BOX_MODEL.replace("load(weights, *, needs, device, dtype)", "load(weights, device)"),
        f"{MODEL}: its loader is load(weights, device), but should be "
        "load(weights, *, needs, device, dtype)",
    ),
    "an error of load": (
        BOX_MODEL.replace("return CentreBox()", "return undefined"),
        f"{MODEL}: NameError: name 'undefined' is not defined (plugin.py, line 14, in load)",
    ),
    "an error of prepare": (
        BOX_MODEL.replace("(32, 32)", "(32, int('wide'))"),
        f"{MODEL}: ValueError: invalid literal for int() with base 10: 'wide' (plugin.py, line 8, "
        "in prepare; prepare of",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_model_is_told_in_a_line(package, run, name):
    source, message = FAULTS[name]
    package.install(source, points=POINTS)
    code, error = run()
    assert code == (3 if name == "no method for the capability" else 4)
    assert message in error and "this should not have happened" not in error
    assert MODEL in error
    assert len(error.splitlines()) <= 6


def test_what_was_predicted_before_is_kept_and_debug_shows_the_trace(package, run, tmp_path):
    package.install(ground("return {3: np.zeros((3, 4))}[len(expressions)]"), points=POINTS)
    code, error = run("--debug")
    assert code == 4 and "Traceback" in error and "in the batch of samples 103, 104" in error
    (path,) = (tmp_path / "runs" / "box").glob("*.predictions.jsonl")
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()[1:]] == [
        100,
        101,
        102,
    ]


@pytest.mark.parametrize(
    ("method", "body"),
    [("load", "data, split"), ("predict", "model, batch"), ("score", "samples, predictions")],
)
def test_a_fault_of_a_task_is_told_in_a_line(package, run, method, body):
    broken = f"{CHESS}\n    def {method}(self, {body}):\n        raise KeyError('pawn')\n"
    package.install(BOX_MODEL + broken, points=POINTS)
    code, error = run(task="chess")
    assert (
        code == 4 and f"(somebodys 1.0): KeyError: 'pawn' (plugin.py, line 22, in {method}" in error
    )
    assert TASK in error or MODEL in error


def test_a_fault_of_a_task_is_told_by_other_verbs_too(package, tmp_path, capsys):
    broken = f"{CHESS}\n    def load(self, data, split):\n        raise KeyError('pawn')\n"
    package.install(BOX_MODEL + broken, points=POINTS)
    data = str(refcoco_files.write(tmp_path / "other"))
    (tmp_path / "some.json").write_text("[]")
    scored = ["--task", "chess", "--split", "val", "--predictions", str(tmp_path / "some.json")]
    assert main(["score", *scored, "--data", data]) == 4
    error = capsys.readouterr().err
    assert "KeyError: 'pawn' (plugin.py, line 22, in load)" in error
    assert "plugin '" in error and "(somebodys 1.0)" in error and "should not" not in error


def test_too_few_predictions_of_a_task_are_refused(package, run):
    short = "\n    def predict(self, model, batch):\n        return ['a']\n"
    package.install(BOX_MODEL + CHESS + short, points=POINTS)
    code, error = run(task="chess")
    assert code == 4 and TASK in error
    assert "chess: 1 predictions for a batch of 3 samples, the first of which is 100" in error


def test_a_package_that_cannot_be_imported_disturbs_nothing_else(package, run, capsys):
    points = {**POINTS, "task gone": "somebodys.nowhere:Gone", "model lost": "somebodys.lost:load"}
    package.install(BOX_MODEL + CHESS, points=points)
    gone = "task plugin 'gone' (somebodys 1.0): somebodys.nowhere:Gone cannot be imported"
    assert main(["list"]) == 0
    captured = capsys.readouterr()
    assert "chess" in captured.out and "refcoco+" in captured.out and "centre" in captured.out
    assert gone in captured.err and "model plugin 'lost' (somebodys 1.0)" in captured.err
    assert main(["table", "--layout", "all", "--format", "json"]) == 0
    assert run()[0] == 0
    code, error = run(task="gone")
    assert code == 3 and gone in error and "No module named 'somebodys.nowhere'" in error


@pytest.mark.parametrize("error", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit"])
@pytest.mark.parametrize("place", ["its import", "its constructor"])
def test_a_task_that_ends_python_is_broken_and_disturbs_nothing_else(package, capsys, error, place):
    source = {
        "its import": f"raise {error}\n",
        "its constructor": f"{CHESS}\n    def __init__(self):\n        raise {error}\n",
    }[place]
    package.install(source, points={"task chess": POINTS["task chess"]})
    assert main(["list"]) == 0
    captured = capsys.readouterr()
    assert "refcoco+" in captured.out and f"{TASK}: somebodys.plugin:Chess c" in captured.err
    code, message = main(["data", "--task", "chess"]), capsys.readouterr().err
    assert code == 3 and f"{TASK}: somebodys.plugin:Chess cannot be " in message
    assert f"({error.partition('(')[0]}: " in message


@pytest.mark.parametrize(
    "importing", ["{}", "try:\n    {}\nexcept BaseException:\n    raise ImportError"]
)
def test_ctrl_c_while_a_plugin_is_imported_ends_the_command(package, importing, capsys):
    """Also where the plugin makes another error of it, as some libraries in C do."""
    pressed = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    handler = signal.getsignal(signal.SIGINT)
    package.install(importing.format(pressed), points={"task chess": POINTS["task chess"]})
    code, message = main(["data", "--task", "chess"]), capsys.readouterr().err
    assert code == 130 and "interrupted" in message
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_is_registered_has_to_be_a_task_or_a_loader(package, run):
    points = {"model centre": "somebodys.plugin:CentreBox.device", "task chess": "json:dumps"}
    package.install(BOX_MODEL, points=points)
    assert "is neither a harness.family.Family nor a function" in run()[1]
    package.install(BOX_MODEL, points={**points, "model centre": "somebodys.plugin:load"})
    assert "is not a subclass of harness.task.Task" in run(task="chess")[1]


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError()",
        "torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 20 GiB')",
        'RuntimeError("[enforce fail] DefaultCPUAllocator: can\'t allocate memory")',
    ],
)
def test_memory_that_runs_out_in_a_plugin_halves_its_batches(package, run, error, tmp_path):
    raising = f"        if len(expressions) > 1:\n            raise {error}\n{GROUND}"
    package.install(f"import torch\n{BOX_MODEL.replace(GROUND, raising)}", points=POINTS)
    code, message = run()
    assert code == 0 and "going on with batches of 1" in message
    record = json.loads((tmp_path / "runs" / "box" / "refcoco+.val.json").read_text())
    assert record["predictions"]["batch_size_halved_to"] == 1


@pytest.mark.parametrize("error", ["MemoryError()", "MemoryFull('full')"])
def test_memory_that_runs_out_where_images_are_put_together_halves_batches(
    package, run, error, tmp_path
):
    """The first images are also put together before the first batch, for the fingerprint."""
    collate = f"""
    def collate(self, prepared):
        if len(prepared) > 1:
            raise {error}
        return np.stack(prepared)

    def ground("""
    source = BOX_MODEL.replace("\n    def ground(", collate)
    package.install(f"from harness.errors import MemoryFull\n{source}", points=POINTS)
    code, message = run("--batch-size", "5")
    assert code == 0 and "going on with batches of 2" in message
    record = json.loads((tmp_path / "runs" / "box" / "refcoco+.val.json").read_text())
    assert record["predictions"]["batch_size_halved_to"] == 2
    assert record["inputs"]["images"] is None
