"""`xvlm-eval bench --from-files`: the benchmarks from JPEG files to predictions, timed."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.bench.fixtures import Fixtures
from harness.bench.from_files import MeasuredTime, find_photos
from harness.bench.models import SIZES
from harness.bench.pipelines import PIPELINES
from harness.cli.main import main
from harness.engine.device import choose_device
from harness.registry import find_task
from harness.running.loader import plan_batches
from tasks import TASKS


def pixels(photo):
    with Image.open(photo) as image:
        return np.array(image)


def test_a_benchmark_is_timed_from_the_files_that_are_made_for_it(tmp_path, capsys):
    folder = tmp_path / "photos"
    arguments = ["bench", "--size", "tiny", "--from-files", str(folder), "--files", "2"]
    assert main([*arguments, "--task", "refcoco+", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    (row,) = content["from_files"]
    assert (row["benchmark"], row["files"], row["real_files"], row["samples"]) == (
        "refcoco+",
        2,
        3000,
        14,
    )
    assert min(row["decode_s"], row["model_s"], row["seconds"]) > 0
    assert content["real_s"] == row["real_s"] == row["seconds"] * 1500
    photos = sorted(folder.iterdir())
    assert [pixels(photo).shape for photo in photos] == [(480, 640, 3)] * 2


def test_the_files_of_a_folder_are_used(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "mine.jpg")
    assert find_photos(tmp_path, 5) == [tmp_path / "mine.jpg"]


def test_photos_differ(tmp_path):
    first, second = map(pixels, find_photos(tmp_path, 2))
    assert not np.array_equal(first, second)


def test_a_run_is_compared_with_the_longer_of_its_halves():
    time = MeasuredTime("vqav2", 10, 40, 55, decode_s=2.0, model_s=5.0, seconds=6.0)
    assert (time.overhead, time.real_seconds) == (1.2, 24.0)


def test_every_benchmark_of_the_paper_table_has_a_pipeline():
    own = {name for name in TASKS if not find_task(name).extra}
    assert {pipeline.benchmark for pipeline in PIPELINES} == own


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda pipeline: pipeline.benchmark)
def test_samples_cover_all_files(pipeline, tmp_path):
    fixtures = Fixtures(SIZES["tiny"], choose_device("cpu", "float32"), tmp_path)
    files = [tmp_path / f"{number}.jpg" for number in range(6)]
    samples = pipeline.samples(files, fixtures)
    images = {image for sample in samples for image in sample.images}
    assert {getattr(image, "path", image) for image in images} == set(files)
    assert sum(map(len, plan_batches(samples, 4))) == len(samples)
