"""`xvlm-eval bench --from-files`: the benchmarks from JPEG files to predictions, timed."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.bench.fixtures import Fixtures
from harness.bench.from_files import MeasuredTime, find_photos
from harness.bench.measure import FromFiles
from harness.bench.models import SIZES
from harness.bench.pipelines import PIPELINES, _regions
from harness.bench.report import files_as_json, files_table
from harness.cli.main import main
from harness.engine.device import choose_device
from harness.errors import UsageError
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
    assert row["same_predictions"] and len(row["predictions_sha256"]) == 64
    assert content["goal_s"] == 240 and len(content["lacking"]) == len(PIPELINES) - 1
    photos = sorted(folder.iterdir())
    assert [pixels(photo).shape for photo in photos] == [(480, 640, 3)] * 2


def test_the_files_of_a_folder_are_used(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "mine.jpg")
    assert find_photos(tmp_path, 5) == [tmp_path / "mine.jpg"]


def test_jpeg_files_are_told_by_either_suffix_in_any_case(tmp_path):
    names = ["IMG_1.JPG", "b.jpeg", "c.Jpg"]
    for name in [*names, "d.png"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in find_photos(tmp_path, 5)] == names


def test_no_photo_is_made_among_files_of_another_kind(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(UsageError, match=r"holds no JPEG file, but 'train'; name the folder"):
        find_photos(tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_photos_are_made_beside_hidden_files_and_half_of_a_photo(tmp_path):
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "photo-000000.part").touch()
    assert find_photos(tmp_path, 1) == [tmp_path / "photo-000000.jpg"]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--from-files .*file: cannot be used \(File exists\)"):
        find_photos(tmp_path / "file", 1)


def test_regions_lie_within_images_of_any_size(tmp_path):
    sizes = {"portrait.jpg": (427, 640), "small.jpg": (60, 30), "turned.jpg": (640, 120)}
    for name, size in sizes.items():
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "turned.jpg" else 1  # a quarter turn: 120 x 640
        Image.new("RGB", size).save(tmp_path / name, exif=exif)
    (tmp_path / "damaged.jpg").write_text("")
    files = [tmp_path / name for name in ("portrait.jpg", "small.jpg", "turned.jpg", "damaged.jpg")]
    boxes = [[], [], [], []]
    for image, box in _regions(files):
        boxes[image].append(box)
    assert max(left for left, *_ in boxes[0]) == 327
    assert set(boxes[1]) == {(0, 0, 100, 100)}
    assert all(left <= 20 and top < 380 for left, top, *_ in boxes[2])
    assert len(boxes[3]) == 6


def test_photos_that_were_made_before_are_used_again_and_the_rest_is_made(tmp_path):
    first = find_photos(tmp_path, 2)
    first[0].write_bytes(b"kept")
    assert find_photos(tmp_path, 3) == [*first, tmp_path / "photo-000002.jpg"]
    assert first[0].read_bytes() == b"kept"
    assert find_photos(tmp_path, 1) == first[:1]
    assert len(list(tmp_path.iterdir())) == 3


def test_photos_differ(tmp_path):
    first, second = map(pixels, find_photos(tmp_path, 2))
    assert not np.array_equal(first, second)


def test_a_run_is_compared_with_the_longer_of_its_halves():
    time = MeasuredTime("vqav2", 10, 40, 55, decode_s=2.0, model_s=5.0, seconds=6.0)
    assert (time.overhead, time.real_seconds) == (1.2, 24.0)


def measured(pipelines, dtype="tf32"):
    times = [MeasuredTime(each.benchmark, 10, 20, 10, 1.0, 2.0, 3.0) for each in pipelines]
    return FromFiles({"size": "base", "device": "cuda (H100)", "dtype": dtype}, times)


def test_the_whole_table_is_projected_beside_its_goal():
    *rows, whole = files_table(measured(PIPELINES)).rows
    assert len(rows) == len(PIPELINES) and rows[0]["real"] == "6.0 s"
    assert whole == {"benchmark": "whole table, goal on a GPU 240 s", "real": "42.0 s"}
    assert files_as_json(measured(PIPELINES, "float16"))["goal_s"] == 180
    *_, part = files_table(measured(PIPELINES[2:])).rows
    assert part == {"benchmark": "without vqav2, nlvr2", "real": "30.0 s"}


def test_the_files_of_both_splits_of_nlvr2_count():
    assert {each.benchmark: each.files for each in PIPELINES} == {
        "vqav2": 81434,
        "nlvr2": 16184,
        "coco-caption": 5000,
        "coco-retrieval": 5000,
        "flickr30k-retrieval": 1000,
        "refcoco+": 3000,
        "ovad": 2000,
    }


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


@pytest.mark.parametrize(
    ("task", "files", "reason"),
    [
        ("refcoco+-weak", "4", "--from-files does not measure refcoco+-weak"),
        ("nlvr2", "1", "nlvr2: too few image files for a sample (1); raise --files"),
    ],
)
def test_what_cannot_be_measured_is_refused(task, files, reason, tmp_path, capsys):
    arguments = ["bench", "--size", "tiny", "--from-files", str(tmp_path), "--files", files]
    assert main([*arguments, "--task", task]) == 2
    assert reason in capsys.readouterr().err
