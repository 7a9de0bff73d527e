"""An image that cannot be read: the run ends, or with `--on-error skip` goes on without it."""

import json
import threading
from functools import partial
from pathlib import Path

import pytest

from harness.callbacks import no_progress
from harness.cli.main import main
from harness.data.resolve import resolve_data
from harness.errors import DataError
from harness.formats.folder import open_folder
from harness.images import image_file, read_views
from harness.registry import find_task
from harness.running import loader, retried
from harness.running.launch import agree_on_plan, run_all
from harness.running.planning import Request
from harness.running.run import Speed
from harness.shapes.benchmark import embedded_data
from harness.task import Sample
from tests.support.benchmark_copy import copy_benchmark, replace_image
from tests.support.held import predict_held
from tests.support.threads import in_threads

SPLITS = {
    "vqav2": "val",
    "nlvr2": "dev",
    "coco-caption": "val",
    "flickr30k-retrieval": "val",
    "coco-retrieval": "val",
    "refcoco+": "testB",
    "ovad": "box",
}
LIMIT = 12  # as in the limited run
TAKEN_OVER = ("refcoco+", "coco-retrieval")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A copy of the embedded benchmark, whose images may be broken."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    return copy_benchmark(root)


def breaking(data, task, out):
    """Break the image of a sample in the middle of a subset; return the ids of its samples.

    Of the tasks `TAKEN_OVER`, in the last batch.
    """
    ids = [json.loads(line)["id"] for line in predictions(out, task).read_text().splitlines()[1:]]
    samples = {
        sample.id: sample for sample in find_task(task).load(open_folder(data), SPLITS[task])
    }
    path = image_file(samples[ids[-2 if task in TAKEN_OVER else LIMIT // 2]].images[0])
    replace_image(path, path.read_bytes()[:50])
    return {id for id in ids if path in map(image_file, samples[id].images)}


def predictions(out, task):
    return out / "xvlm-shapes" / f"{task}.{SPLITS[task]}.limit-{LIMIT}.predictions.jsonl"


def record_path(out, task):
    return out / "xvlm-shapes" / f"{task}.{SPLITS[task]}.limit-{LIMIT}.json"


def record(out, task):
    return json.loads(record_path(out, task).read_text())


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
    task, data, limited, in_processes, tmp_path, capsys
):
    command = ["run", "--task", task, "--split", SPLITS[task], "--limit", str(LIMIT)]
    command += ["--batch-size", "4", "--checkpoint", "xvlm-shapes", "--data", str(data)]
    command += ["--out", str(tmp_path)]
    broken = breaking(data, task, limited)

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


@pytest.fixture
def repairable(tmp_path):
    """A copy of the benchmark, and a function that breaks and one that repairs an image there."""
    root = tmp_path / "data"
    copy_benchmark(root)
    sound = {}

    def strike(path):
        sound[path] = path.read_bytes()
        replace_image(path, sound[path][:50])

    def repair():
        for path, content in sound.items():
            replace_image(path, content)

    return root, strike, repair


def images_of(task, root, id):
    """The image files of a sample."""
    samples = find_task(task).load(open_folder(root), SPLITS[task])
    return [image_file(view) for sample in samples if sample.id == id for view in sample.images]


def arguments(task, root, out):
    arguments = ["run", "--task", task, "--split", SPLITS[task], "--limit", str(LIMIT)]
    arguments += ["--batch-size", "5", "--checkpoint", "xvlm-shapes", "--data", str(root)]
    return [*arguments, "--out", str(out)]


@pytest.mark.parametrize("task", ["refcoco+", "nlvr2"])
def test_a_sample_is_predicted_once_its_image_is_repaired(
    task, limited, repairable, tmp_path, capsys
):
    """In the bytes of a run that never skipped it, whatever shared its batch."""
    root, strike, repair = repairable
    lines = predictions(limited, task).read_text().splitlines()[1:]
    ids = [json.loads(line)["id"] for line in lines]
    for path in images_of(task, root, ids[0]) + images_of(task, root, ids[-1])[:1]:
        strike(path)
    command, out = arguments(task, root, tmp_path / "out"), tmp_path / "out"
    assert main([*command, "--on-error", "skip"]) == 0
    skipped = record(out, task)["predictions"]["skipped"]
    assert {str(ids[0]), str(ids[-1])} <= skipped.keys()

    struck = predictions(out, task).read_bytes()
    capsys.readouterr()
    assert main(command) == 0  # nothing was repaired
    assert (
        f"{len(skipped)} samples were skipped and still cannot be read" in capsys.readouterr().err
    )
    assert predictions(out, task).read_bytes() == struck

    repair()
    assert main(command) == 0
    assert f"{len(skipped)} samples were skipped and can be read now" in capsys.readouterr().err
    assert predictions(out, task).read_bytes() == predictions(limited, task).read_bytes()
    assert record(out, task) == record(limited, task)
    times = json.loads(record_path(out, task).with_suffix(".timings.json").read_text())
    assert [sitting["predicted"] for sitting in times["sittings"]] == [12, 7]  # batches of 5 and 2


def test_a_run_that_an_image_ended_goes_on_once_it_is_repaired(limited, repairable, tmp_path):
    """In the bytes of a run that read it at once, the fingerprint of its first inputs included."""
    task, out = "refcoco+", tmp_path / "out"
    root, strike, repair = repairable
    id = json.loads(predictions(limited, task).read_text().splitlines()[6])["id"]
    strike(images_of(task, root, id)[0])
    assert main(arguments(task, root, out)) == 3
    repair()
    assert main(arguments(task, root, out)) == 0
    assert predictions(out, task).read_bytes() == predictions(limited, task).read_bytes()


def test_a_gallery_with_a_repaired_image_asks_for_a_fresh_run(repairable, tmp_path, capsys):
    """Every image is a candidate of every text: no prediction would be the same."""
    task, out = "coco-retrieval", tmp_path / "out"
    root, strike, repair = repairable
    command = arguments(task, root, out)
    samples = find_task(task).load(open_folder(root), SPLITS[task])
    assert main(command) == 0
    sound = predictions(out, task).read_bytes()
    ids = [json.loads(line)["id"] for line in sound.splitlines()[1:]]
    strike(next(image_file(sample.images[0]) for sample in samples if sample.id == ids[3]))
    assert main([*command, "--on-error", "skip", "--fresh"]) == 0
    struck = predictions(out, task).read_bytes()

    repair()
    capsys.readouterr()
    assert main([*command, "--on-error", "skip"]) == 4
    shown = capsys.readouterr().err
    assert f"1 sample was skipped and can be read now, e.g. {ids[3]!r}" in shown
    assert "predict anew with --fresh" in shown
    assert predictions(out, task).read_bytes() == struck and record_path(out, task).exists()
    assert main([*command, "--fresh"]) == 0
    assert predictions(out, task).read_bytes() == sound


def test_a_batch_that_would_end_the_run_is_not_predicted_again():
    samples = [Sample(number, (Path(f"{number}.jpg"),)) for number in range(6)]
    again = partial(retried._sharing_a_batch, samples, {0, 3}, 2)
    assert again(kept=set()) == {0, 1, 2, 3}
    assert again(kept={1}) == {2, 3}
