"""A resumed run does not wait for its image files to be compared, and is not scored before."""

import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from harness.cli.main import main
from harness.errors import IdentityError
from harness.images import Region
from harness.records.fingerprints import Fingerprint
from harness.records.predictions import open_predictions
from harness.running.inputs import file_check
from harness.running.inputs.file_check import FileCheck
from harness.running.inputs.sample_inputs import (
    checksum_of_file,
    checksum_of_files,
    checksum_of_texts,
)
from harness.task import Sample
from tests.support import refcoco_files

BOX = (0, 0, 2, 2)

LONG = 60  # seconds that something is waited for which should come at once


class Texts:
    def texts(self, sample):
        return (f"text {sample.id}",)


@pytest.fixture
def file(tmp_path):
    """Predictions of five samples about two pictures, one of them by a region."""
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.new("RGB", (4, 4)).save(path)
    views = [paths[0], paths[0], paths[1], Region(paths[1], BOX), paths[1]]
    samples = [Sample(number, (view,)) for number, view in enumerate(views)]
    sums = {path: checksum_of_file(path) for path in paths}
    with open_predictions(tmp_path / "p.jsonl", {}, software={}) as opened:
        inputs = {
            sample.id: Fingerprint(
                checksum_of_files(sample.images, sums), 0, checksum_of_texts(Texts(), sample)
            ).to_text()
            for sample in samples
        }
        opened.append([(sample.id, "x") for sample in samples[:4]], inputs)
        yield opened, samples, paths


def test_it_reads_in_threads_and_names_the_samples_of_a_replaced_picture(file, monkeypatch):
    opened, samples, paths = file
    Image.new("RGB", (4, 4), "red").save(paths[1])
    may_read, read = threading.Event(), []

    def waiting(path):
        read.append(path)
        may_read.wait(LONG)
        return checksum_of_file(path)

    monkeypatch.setattr(file_check, "checksum_of_file", waiting)
    with FileCheck(Texts(), samples, workers=1) as check:
        check.begin(opened)
        assert not read and not check._pending  # the first prediction comes first
        check.read_images()  # returns although no file can be read yet
        check.raise_if_changed()
        may_read.set()
        with pytest.raises(
            IdentityError, match=r"2 of its predictions .*of sample 2 \(b\.png\); 3"
        ):
            check.finish()
        with pytest.raises(IdentityError):
            check.raise_if_changed()
    assert read == paths  # each once, though the second has two views


def test_the_same_pictures_pass(file):
    opened, samples, _ = file
    with FileCheck(Texts(), samples, workers=2) as check:
        check.begin(opened)
        check.finish()


def test_changed_texts_are_found_before_any_file_is_read(file, monkeypatch):
    opened, samples, _ = file
    monkeypatch.setattr(file_check, "checksum_of_file", lambda path: pytest.fail("read"))

    class Others(Texts):
        def texts(self, sample):
            return ("another",) if sample.id == 1 else super().texts(sample)

    with (
        FileCheck(Others(), samples, workers=1) as check,
        pytest.raises(IdentityError, match=r"1 of its predictions .*of sample 1 \(texts\)"),
    ):
        check.begin(opened)


def test_a_run_that_ends_early_reads_no_further(file, monkeypatch):
    opened, samples, _ = file
    all_begun, read = threading.Event(), []

    def slow(path):
        """Read until no other file is to be read."""
        read.append(path)
        all_begun.wait(LONG)
        end = time.monotonic() + LONG
        while not all(part.cancelled() for part in check._pending[1:]) and time.monotonic() < end:
            time.sleep(0.01)
        return checksum_of_file(path)

    monkeypatch.setattr(file_check, "checksum_of_file", slow)
    monkeypatch.setattr(file_check, "AT_ONCE", 1)
    with pytest.raises(KeyboardInterrupt), FileCheck(Texts(), samples, workers=1) as check:
        check.begin(opened)
        check.read_images()
        all_begun.set()
        raise KeyboardInterrupt
    assert len(check._pending) > 1 and len(read) <= 1


def run_on(data, out):
    return main([
        "run", "--task", "refcoco+", "--split", "val", "--checkpoint", "xvlm-shapes",
        "--data", str(data), "--out", str(out), "--batch-size", "1",
    ])  # fmt: skip


def test_a_resumed_run_with_a_replaced_picture_leaves_no_record(tmp_path, capsys):
    data = refcoco_files.write(tmp_path / "data")
    assert run_on(data, tmp_path / "runs") == 0
    record = tmp_path / "runs/xvlm-shapes/refcoco+.val.json"
    predictions = record.with_name("refcoco+.val.predictions.jsonl")
    predictions.write_bytes(b"".join(predictions.read_bytes().splitlines(keepends=True)[:2]))
    Image.new("RGB", (100, 80), "green").save(Path(data) / "images/coco/train2014/one.jpg")
    capsys.readouterr()
    assert run_on(data, tmp_path / "runs") == 4
    assert "1 of its predictions were made from other inputs" in capsys.readouterr().err
    assert not record.exists()


def test_a_run_with_predictions_of_other_samples_predicts_nothing(tmp_path, capsys):
    data = refcoco_files.write(tmp_path / "data")
    assert run_on(data, tmp_path / "runs") == 0
    predictions = tmp_path / "runs/xvlm-shapes/refcoco+.val.predictions.jsonl"
    head, first, *_ = predictions.read_bytes().splitlines(keepends=True)
    edited = head + first.replace(b'"id":100', b'"id":"100"')
    predictions.write_bytes(edited)
    capsys.readouterr()
    assert run_on(data, tmp_path / "runs") == 3
    message = "predicts 1 samples that refcoco+ val does not have, e.g. '100'; remove their lines"
    assert message in capsys.readouterr().err
    assert predictions.read_bytes() == edited
