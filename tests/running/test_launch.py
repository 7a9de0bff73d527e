"""From a request to runs: data resolved once, everything that is missing named at once."""

from pathlib import Path

import msgspec
import pytest

from harness.callbacks import no_progress
from harness.checkpoints import PAPER, SHAPES, find_entry
from harness.data.resolve import Embedded, Folder, Hub, resolve_data
from harness.errors import MissingError, UsageError
from harness.running import planning
from harness.running.launch import agree_on_plan, default_workers
from harness.running.planning import Request, banner, make_plan
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Speed
from tests.support import refcoco_files
from tests.support.models_on_disk import write_checkpoint


def request(**changes):
    fields = {
        "tasks": ["refcoco+"],
        "splits": [],
        "checkpoint": None,
        "data": Embedded(),
        "out": Path("runs"),
        "speed": Speed(),
        "device": "cpu",
        "dtype": "float32",
    }
    return Request(**{**fields, **changes})


def test_the_data_are_named_by_the_flag_then_the_environment_then_nothing(monkeypatch):
    assert resolve_data(None) == Embedded()
    monkeypatch.setenv("XVLM_EVAL_DATA", "hf")
    assert resolve_data(None) == Hub("hf")
    assert resolve_data("somewhere") == Folder(Path("somewhere"))
    assert resolve_data("~/data") == Folder(Path.home() / "data")
    assert resolve_data("hf:them/copy@main") == Hub("hf:them/copy@main")
    with pytest.raises(UsageError, match="names no folder"):
        resolve_data("")


@pytest.mark.parametrize(
    ("data", "checkpoint"), [(Embedded(), SHAPES), (Folder(Path("d")), PAPER), (Hub("hf"), PAPER)]
)
def test_the_checkpoint_is_the_one_that_suits_the_data_unless_it_is_named(data, checkpoint):
    assert request(data=data).chosen_checkpoint == checkpoint
    assert request(data=data, checkpoint="mine.th").chosen_checkpoint == "mine.th"


def test_the_first_line_names_data_and_weights():
    assert banner(request(data=Folder(Path("d")))) == f"data of d, evaluated with {PAPER}"
    assert banner(request()).startswith(f"embedded benchmark: {SHAPES} on shapes, because no data")


def test_a_plan_is_a_run_for_each_split_with_everything_that_determines_it():
    plan = agree_on_plan(request(limit=4, skip=True), SingleProcess(), progress=no_progress)
    assert [run.split for run in plan.runs] == ["val", "testA", "testB"]
    (run,) = {(run.limit, run.skip, run.dtype, run.weights.name) for run in plan.runs}
    assert run == (4, True, "float32", SHAPES)
    assert plan.left_out == []
    path = Path("runs/xvlm-shapes/refcoco+.val.limit-4.json")
    assert plan.runs[0].path() == path


def test_all_are_the_tasks_that_the_checkpoint_has_weights_for(monkeypatch):
    assert len({run.task.name for run in make_plan(request(tasks=["vqav2", "ALL"])).runs}) == 7
    entry = find_entry(SHAPES)
    files = {name: file for name, file in entry.files.items() if name != "ovad"}
    monkeypatch.setattr(
        planning, "find_entry", lambda name: msgspec.structs.replace(entry, files=files)
    )
    plan = make_plan(request(tasks=["all"]))
    assert plan.left_out == ["ovad"]
    assert "ovad" not in {run.task.name for run in plan.runs}
    assert make_plan(request(tasks=["refcoco+"])).left_out == []


def test_everything_that_is_missing_is_one_item_each(tmp_path):
    data = refcoco_files.write(tmp_path / "data")
    for path in (data / "refcoco+").iterdir():
        path.unlink()
    weights = write_checkpoint(tmp_path / "c.th")
    with pytest.raises(MissingError) as missing:
        make_plan(request(data=Folder(data), checkpoint=str(weights)))
    refs, instances = missing.value.items
    assert refs.startswith(f"{data}: missing refcoco+/refs(unc).p")
    assert instances.startswith(f"{data}: missing refcoco+/instances.json")
    assert str(missing.value) == f"missing (2):\n  {refs}\n  {instances}"


def test_one_missing_item_is_the_whole_message():
    assert str(MissingError("a.txt: no such file")) == "a.txt: no such file"


@pytest.mark.parametrize(("cores", "workers"), [({3}, 1), ({0, 2, 5}, 3), (set(range(40)), 16)])
def test_a_thread_decodes_for_each_core_that_the_process_may_use(monkeypatch, cores, workers):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: cores)
    assert default_workers() == workers
