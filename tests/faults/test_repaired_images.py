"""A run that skipped an image, or ended at it, goes on once the image is repaired."""

import json
from functools import partial
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.formats.folder import open_folder
from harness.images import image_file
from harness.registry import find_task
from harness.running import retried
from harness.task import Sample
from tests.faults.subsets import LIMIT, SPLITS, predictions, record, record_path
from tests.support.benchmark_copy import copy_benchmark, replace_image


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
