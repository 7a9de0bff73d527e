"""Images that a model prepares in its own way: of unequal sizes, with masks, in dictionaries."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cli.main import main
from harness.errors import ModelError
from harness.records.fingerprints import checksum
from harness.running.decoding import processes
from harness.running.prepared import contents_of, together
from tests.support import refcoco_files
from tests.support.plugins import ASPECT_MODEL, BOX_MODEL

POINTS = {"model aspect": "somebodys.plugin:load"}


@pytest.fixture(autouse=True)
def aspect_model(package):
    package.install(ASPECT_MODEL, points=POINTS)


@pytest.fixture
def run(tmp_path):
    refs = [{**ref, "split": "val"} for ref in refcoco_files.refs()]
    data = refcoco_files.write(tmp_path / "data", refs_content=refs)
    (tmp_path / "box.json").write_text("{}")

    def run(*more, out="runs"):
        return main([
            "run", "--task", "refcoco+", "--split", "val", "--data", str(data), "--model", "aspect",
            "--checkpoint", str(tmp_path / "box.json"), "--out", str(tmp_path / out), *more,
        ])  # fmt: skip

    return run


def predictions(tmp_path, out):
    path = tmp_path / out / "box" / "refcoco+.val.predictions.jsonl"
    return path.read_text().splitlines()[1:]


def test_a_model_may_keep_the_aspect_ratio_whatever_shares_its_batch(run, tmp_path, monkeypatch):
    """The two images are 100 x 80 and 90 x 120 pixels; padding is masked."""
    assert run("--batch-size", "1", out="single") == 0
    assert run("--batch-size", "32", out="together") == 0
    assert len(predictions(tmp_path, "single")) == 5
    assert predictions(tmp_path, "single") == predictions(tmp_path, "together")
    monkeypatch.setenv("XVLM_EVAL_DECODING", "processes")
    assert run("--batch-size", "32", out="processes") == 0
    assert predictions(tmp_path, "single") == predictions(tmp_path, "processes")
    assert run("--batch-size", "32", out="processes") == 0  # its inputs are those of before
    record = json.loads((tmp_path / "together/box/refcoco+.val.json").read_text())
    assert len(record["inputs"]["images"]) == 64


def test_another_prepare_of_such_a_model_is_noticed(package, run, capsys):
    assert run() == 0
    package.install(ASPECT_MODEL.replace("/ 255", "/ 256"), points=POINTS)
    assert run() == 4
    assert "the code of the model plugin 'aspect' changed" in capsys.readouterr().err


def test_such_a_model_retrieves_and_is_forecast(run, tmp_path, capsys):
    (tmp_path / "w").mkdir()
    retrieve = [
        "run", "--task", "flickr30k-retrieval", "--split", "test", "--model", "aspect",
        "--checkpoint", str(tmp_path / "box.json"), "--limit", "12", "--out", str(tmp_path / "w"),
    ]  # fmt: skip
    assert main(retrieve) == 0
    assert run("--plan", "--format", "json") == 0
    assert '"samples": 5' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("decoding", "prepared", "message"),
    [
        ("threads", "np.asarray(image.convert('RGB'))", "which cannot be stacked"),
        ("threads", "image.size", "as a tuple, and not as an array"),
        ("processes", "np.asarray(image.convert('RGB'))", "which cannot be stacked"),
    ],
)
def test_images_that_cannot_be_stacked_are_refused(
    package, run, capsys, monkeypatch, decoding, prepared, message
):
    monkeypatch.setenv("XVLM_EVAL_DECODING", decoding)
    # Processes of an earlier test do not find this one's package.
    fresh = cache(processes._processes.__wrapped__)
    monkeypatch.setattr(processes, "_processes", fresh)
    (line,) = [line for line in BOX_MODEL.splitlines() if "np.asarray" in line]
    package.install(BOX_MODEL.replace(line, f"        return {prepared}"), points=POINTS)
    assert run() == 4
    error = capsys.readouterr().err
    assert "model plugin 'aspect' (somebodys 1.0): the model prepares" in error, error
    assert message in error and "collate(prepared)" in error and ".jpg" in error


def test_floats_of_one_shape_are_stacked_as_they_are():
    images = {Path("a"): np.ones((2, 2), np.float32), Path("b"): np.zeros((2, 2), np.float32)}
    assert together(images, None).dtype == np.float32
    with pytest.raises(ModelError, match=r"\[2, 2\] float32, but b as \[2, 2\] float64"):
        together({**images, Path("b"): np.zeros((2, 2))}, None)


def test_what_is_prepared_is_identified_by_its_content():
    def of(value):
        return checksum(contents_of(value))

    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert list(contents_of(pixels)) == [b"[2, 2, 3]", pixels.tobytes()]
    assert of(pixels) == of(torch.from_numpy(pixels)) != of(pixels.astype(np.int8))
    assert of({"a": pixels, "b": 1}) == of({"b": 1, "a": pixels}) != of({"a": pixels, "b": 2})
    assert of((pixels, None)) == of([pixels, None]) != of([pixels])
    assert of(torch.ones(2, dtype=torch.bfloat16)) != of(torch.zeros(2, dtype=torch.bfloat16))
