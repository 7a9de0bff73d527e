"""An image that cannot be read: the run ends, or with `--on-error skip` goes on without it."""

import json
import threading

import pytest

from harness.callbacks import no_progress
from harness.cli.main import main
from harness.data.resolve import resolve_data
from harness.errors import DataError
from harness.formats.folder import open_folder
from harness.images import image_file, read_views
from harness.registry import find_task
from harness.running import loader
from harness.running.launch import agree_on_plan, run_all
from harness.running.planning import Request
from harness.running.run import Speed
from harness.shapes.benchmark import embedded_data
from tests.faults.subsets import LIMIT, SPLITS, predictions, record, record_path
from tests.support.benchmark_copy import copy_benchmark, replace_image
from tests.support.held import predict_held
from tests.support.threads import in_threads

TAKEN_OVER = ("refcoco+", "coco-retrieval")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A copy of the embedded benchmark, whose images may be broken."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    return copy_benchmark(root)


@pytest.fixture
def broken(data, limited, task):
    """Break the image of a sample in the middle of a subset; return the ids of its samples.

    Of the tasks `TAKEN_OVER`, in the last batch. Other tasks may use the image too.
    """
    ids = [
        json.loads(line)["id"] for line in predictions(limited, task).read_text().splitlines()[1:]
    ]
    samples = {
        sample.id: sample for sample in find_task(task).load(open_folder(data), SPLITS[task])
    }
    path = image_file(samples[ids[-2 if task in TAKEN_OVER else LIMIT // 2]].images[0])
    content = path.read_bytes()
    replace_image(path, content[:50])
    yield {id for id in ids if path in map(image_file, samples[id].images)}
    replace_image(path, content)


@pytest.fixture
def in_processes(data, monkeypatch):
    """Run a task in two processes: the second takes over the last of three batches."""
    monkeypatch.setattr("harness.running.evaluate.predict", predict_held)

    def run(task, out, data=data):
        request = Request(
            tasks=[task],
            splits=[SPLITS[task]],
            checkpoint="xvlm-shapes",
            data=resolve_data(str(data)),
            out=out,
            speed=Speed(batch_size=4),
            device="auto",
            dtype="float32",
            limit=LIMIT,
            skip=True,
        )
        warnings = []

        def work(group):
            threading.current_thread().name = f"process {group.rank}"
            plan = agree_on_plan(request, group, progress=no_progress)
            list(run_all(plan, group, progress=no_progress, warn=warnings.append))

        in_threads(2, work)
        return warnings

    return run


@pytest.mark.parametrize("task", SPLITS)
def test_samples_of_a_broken_image_count_as_wrong_and_are_listed(
    task, data, broken, limited, in_processes, tmp_path, capsys
):
    command = ["run", "--task", task, "--split", SPLITS[task], "--limit", str(LIMIT)]
    command += ["--batch-size", "4", "--checkpoint", "xvlm-shapes", "--data", str(data)]
    command += ["--out", str(tmp_path)]

    assert main(command) == 3
    assert "sample" in capsys.readouterr().err
    assert not record_path(tmp_path, task).exists()

    assert main([*command, "--on-error", "skip"]) == 0
    shown = capsys.readouterr().err
    struck, sound = record(tmp_path, task), record(limited, task)
    assert set(struck["predictions"]["skipped"]) == {str(id) for id in broken}
    assert struck["n"] == sound["n"]
    assert all(f"sample {id} is skipped and counts as wrong: " in shown for id in broken)
    assert struck["metrics"][find_task(task).primary] < sound["metrics"][find_task(task).primary]

    if task == "coco-caption":  # scored by Java for seconds: once is enough
        return
    finished = predictions(tmp_path, task).read_bytes()
    assert main(command) == 0
    assert predictions(tmp_path, task).read_bytes() == finished

    if task in TAKEN_OVER:
        warnings = in_processes(task, tmp_path / "processes")
        assert len(warnings) == len(broken)
        assert predictions(tmp_path / "processes", task).read_bytes() == finished


@pytest.mark.parametrize("process", [0, 1], ids=["its owner", "who takes it over"])
def test_an_image_of_a_gallery_may_be_unreadable_for_one_process_alone(
    process, limited, in_processes, tmp_path, monkeypatch
):
    """As where a file is broken on one of two machines."""
    task, make_decoder = "coco-retrieval", loader.make_decoder
    ids = [
        json.loads(line)["id"] for line in predictions(limited, task).read_text().splitlines()[1:]
    ]
    broken = f"sample {ids[-2]}"  # in the batch that is taken over

    def making(prepare, workers, note=None, **options):
        here = threading.current_thread().name == f"process {process}"

        def read(views, needed_by):
            if here and needed_by == broken:
                raise DataError("broken on this machine")
            return read_views(views, prepare, needed_by=needed_by)

        return make_decoder(prepare, workers, note, **options | {"read": read})

    monkeypatch.setattr(loader, "make_decoder", making)
    assert len(in_processes(task, tmp_path, embedded_data().root)) == 1
    assert record(tmp_path, task)["predictions"]["skipped"] == {ids[-2]: "broken on this machine"}
