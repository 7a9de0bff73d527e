"""`run --plan`: what runs will take, without running them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from harness.cli.main import main
from harness.errors import DataError
from harness.running.forecast import _duration, _in_units, forecast
from harness.running.run import Speed
from harness.running.subset import subset
from harness.task import Sample, Task
from harness.workload import Cost
from tests.support.costs import WithCosts
from tests.support.models_on_disk import random_state, sizes, write_checkpoint

IMAGES, THERE = (
    5000,
    32,
)  # of COCO's test split, and how many of their files exist here: a probe needs no more
WORDS = ("the red cup", "a blue plate", "tall man", "a man the cup", "red")


@pytest.fixture
def coco(tmp_path):
    """COCO's test split by its real counts, 5,000 images and 25,010 captions, with a tiny model."""
    photos = tmp_path / "DATA/images/coco/val2014"
    photos.mkdir(parents=True)
    (tmp_path / "DATA/coco").mkdir()
    images = [
        {
            "filename": f"{number}.jpg",
            "filepath": "val2014",
            "split": "test",
            "sentences": [{"raw": WORDS[n % 5]} for n in range(6 if number < 10 else 5)],
        }
        for number in range(IMAGES)
    ]
    (tmp_path / "DATA/coco/dataset_coco.json").write_text(json.dumps({"images": images}))
    for number in range(THERE):
        Image.new("RGB", (32, 24), (4 * number, 90, 160)).save(photos / f"{number}.jpg")
    weights = write_checkpoint(tmp_path / "c.th", random_state("retrieval", sizes()))
    return [
        "run",
        "--task",
        "coco-retrieval",
        "--split",
        "test",
        "--data",
        str(tmp_path / "DATA"),
        "--checkpoint",
        str(weights),
    ]


def test_the_pairs_of_coco_are_counted_at_their_real_size_and_nothing_is_written(
    coco, tmp_path, capsys
):
    assert main([*coco, "--plan", "--format", "json", "--out", str(tmp_path / "runs")]) == 0
    (row,) = json.loads(capsys.readouterr().out)["plan"]
    assert (row["samples"], row["images"]) == (5000, 5000)
    assert (
        (row["pairs"], row["pairs_at_most"])
        == (25_010 * 256, 25_010 * 256 + 5_000 * 256)
        == (6_402_560, 7_682_560)
    )
    assert row["batch_size"] == 32 and row["seconds"] > 1 and row["peak_bytes"] > 1e8
    assert not (tmp_path / "runs").exists()


def test_a_plan_is_a_table_for_people_and_takes_the_flags_of_a_run(coco, tmp_path, capsys):
    for sample in subset([Sample(f"{number}.jpg", ()) for number in range(IMAGES)], 20):
        Image.new("RGB", (32, 24)).save(tmp_path / "DATA/images/coco/val2014" / sample.id)
    assert main([*coco, "--plan", "--limit", "20", "--batch-size", "4"]) == 0
    title, headings, _, row = capsys.readouterr().out.splitlines()
    assert title == "What the runs will take"
    assert headings.split()[:5] == ["task", "split", "samples", "images", "pairs"]
    assert row.split()[:5] == [
        "coco-retrieval",
        "test",
        "20",
        "20",
        "2,000",
    ]  # 20 images and their 100 captions, each with each
    assert " 4 " in row and "MFLOP" in row and "GB" in row


def test_what_is_missing_is_reported_as_by_a_run(coco, tmp_path, capsys):
    (tmp_path / "DATA/coco/dataset_coco.json").unlink()
    outputs = []
    for flag in ([], ["--plan"]):
        assert main([*coco, *flag]) == 3
        outputs.append(capsys.readouterr())
    assert outputs[0] == outputs[1] and "coco/dataset_coco.json" in outputs[0].err


class Mirror(Task):
    """A task of another package, whose model has no cost model."""

    name, version, splits, primary, needs, protocol = "mirror", 1, ("all",), "m", (object,), "p"
    files = load = score = score_official = None

    def predict(self, model, batch):
        return [None for _ in batch.samples]


Mirror.__abstractmethods__ = frozenset()


@pytest.fixture
def samples(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    return [Sample(number, (tmp_path / "a.png",)) for number in range(100)]


def prepare(image):
    return np.zeros((2, 2, 3), dtype=np.uint8)


def test_without_a_cost_model_only_the_time_is_forecast(samples):
    result = forecast(
        Mirror(),
        "all",
        SimpleNamespace(prepare=prepare),
        samples,
        speed=Speed(batch_size=None, workers=1),
    )
    assert (result.samples, result.images, result.pairs, result.batch_size) == (100, 1, 100, 32)
    assert result.flops is None and result.peak_bytes is None and result.seconds > 0
    assert result.row()["flops_shown"] is None


def test_the_peak_is_what_is_taken_kept_and_worked_with_in_one_batch(samples):
    model = WithCosts(10**12)
    model.prepare, model.cost = (
        prepare,
        lambda workload: Cost(7.0 * workload.samples, 1000, workload.samples),
    )
    result = forecast(Mirror(), "all", model, samples, speed=Speed(batch_size=50, workers=1))
    assert (result.batch_size, result.flops, result.peak_bytes) == (50, 700.0, 1000 + 50)
    assert result.probe_samples == 50  # no more than a batch


def test_a_first_call_which_is_slow_is_never_the_only_one_that_counts(samples, monkeypatch):
    monkeypatch.setattr("harness.running.forecast.PROBE_SECONDS", 0.0)
    result = forecast(
        Mirror(),
        "all",
        SimpleNamespace(prepare=prepare),
        samples,
        speed=Speed(batch_size=None, workers=1),
    )
    assert (
        result.probe_samples == 2
    )  # one, then twice as many, though the time was over before the first


def test_a_split_without_samples_is_an_error():
    with pytest.raises(DataError, match="mirror all: the annotations hold no sample"):
        forecast(
            Mirror(),
            "all",
            SimpleNamespace(prepare=prepare),
            [],
            speed=Speed(batch_size=None, workers=1),
        )


@pytest.mark.parametrize(
    ("operations", "shown"),
    [(6.87e15, "6.87 PFLOP"), (4.2e13, "42 TFLOP"), (1.5e9, "1.5 GFLOP"), (2e6, "2 MFLOP")],
)
def test_operations_are_shown_in_their_unit(operations, shown):
    assert _in_units(operations) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (90 * 60, "1.5 h"), (360_000, "100.0 h")],
)
def test_an_estimate_has_few_digits(seconds, shown):
    assert _duration(seconds) == shown
