"""A command reads and hashes every file once, however many splits and processes need it."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from harness.callbacks import no_progress
from harness.cli.main import main
from harness.data.resolve import resolve_data
from harness.errors import CheckpointError, DataError
from harness.files.parsing import read_json
from harness.files.reads import Reads, reading_into, sha256_of_read, shared
from harness.running import launch, source
from harness.running.launch import agree_on_plan, run_all
from harness.running.planning import Request
from harness.running.processes.distributed import SingleProcess
from harness.running.run import Speed
from tests.support import refcoco_files
from tests.support.threads import in_threads

ANNOTATIONS = ("refcoco+/refs(unc).p", "refcoco+/instances.json")


@pytest.fixture
def opened(monkeypatch):
    """Count how often each path is opened in full, by `Path.open` and what is made of it."""
    count: Counter[Path] = Counter()
    read_bytes, digest = Path.read_bytes, hashlib.file_digest

    def counted_read(path):
        count[path] += 1
        return read_bytes(path)

    def counted_digest(file, name):
        count[Path(file.name)] += 1
        return digest(file, name)

    monkeypatch.setattr(Path, "read_bytes", counted_read)
    monkeypatch.setattr(hashlib, "file_digest", counted_digest)
    return count


def request(data, out, **changes):
    given = dict(
        tasks=["refcoco+"], splits=["val", "testA"], checkpoint="xvlm-shapes",
        data=resolve_data(str(data)), out=out, speed=Speed(batch_size=4), device="cpu",
        dtype="float32",
    )  # fmt: skip
    return Request(**{**given, **changes})


def test_two_splits_read_their_annotations_and_hash_the_weights_once(tmp_path, opened):
    data = refcoco_files.write(tmp_path / "data")
    plan = agree_on_plan(request(data, tmp_path), SingleProcess(), progress=no_progress)
    weights = plan.runs[0].weights.path
    outcomes = list(run_all(plan, SingleProcess(), progress=no_progress, warn=pytest.fail))
    assert [opened[data / name] for name in ANNOTATIONS] == [1, 1]
    assert opened[weights] == 1
    for outcome in outcomes:
        record = json.loads(outcome.record.read_text())
        assert record["data"]["files"] == {
            name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in ANNOTATIONS
        }
        assert record["checkpoint"]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_processes_of_one_machine_hash_the_weights_once(tmp_path, monkeypatch):
    data, hashed = refcoco_files.write(tmp_path / "data"), []
    verified = launch.verified_sha256
    monkeypatch.setattr(
        launch, "verified_sha256", lambda weights: hashed.append(0) or verified(weights)
    )

    def work(group):
        plan = agree_on_plan(request(data, tmp_path), group, progress=no_progress)
        list(run_all(plan, group, progress=no_progress, warn=pytest.fail))

    in_threads(2, work)
    assert len(hashed) == 1
    records = [path.name for path in tmp_path.glob("xvlm-shapes/refcoco+.*.json")]
    assert {"refcoco+.val.json", "refcoco+.testA.json"} <= set(records)


def test_another_file_on_another_machine_is_refused(tmp_path):
    class OtherMachine(SingleProcess):
        def all_gather(self, value):
            return [value, None, "0" * 64]

    data = refcoco_files.write(tmp_path / "data")
    plan = agree_on_plan(request(data, tmp_path), SingleProcess(), progress=no_progress)
    with pytest.raises(CheckpointError, match="another file on another machine"):
        list(run_all(plan, OtherMachine(), progress=no_progress, warn=pytest.fail))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    data = refcoco_files.write(tmp_path / "data")
    given = agree_on_plan(request(data, tmp_path), SingleProcess(), progress=no_progress)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(given.runs[0].weights.path.read_bytes())
    (tmp_path / "vocab.txt").write_bytes(given.runs[0].weights.vocabulary.read_bytes())
    load = launch._load

    def load_and_touch(run):
        model = load(run)
        path.write_bytes(path.read_bytes() + b" ")
        return model

    monkeypatch.setattr(launch, "_load", load_and_touch)
    own = agree_on_plan(
        request(data, tmp_path, checkpoint=str(path)), SingleProcess(), progress=no_progress
    )
    with pytest.raises(CheckpointError, match="changed while it was read"):
        list(run_all(own, SingleProcess(), progress=no_progress, warn=pytest.fail))


def test_annotations_that_change_before_they_are_hashed_are_refused(tmp_path, monkeypatch):
    data = refcoco_files.write(tmp_path / "data")
    plan = agree_on_plan(request(data, tmp_path), SingleProcess(), progress=no_progress)
    path, load_samples = data / ANNOTATIONS[1], source.load_samples

    def load_and_touch(*arguments):
        samples = load_samples(*arguments)
        path.write_bytes(path.read_bytes() + b" ")
        return samples

    monkeypatch.setattr(source, "load_samples", load_and_touch)
    with pytest.raises(DataError, match=r"instances\.json: was changed since it was read"):
        list(run_all(plan, SingleProcess(), progress=no_progress, warn=pytest.fail))


def test_the_known_hash_explains_weights_that_cannot_be_read(tmp_path, monkeypatch, capsys):
    def refused(weights):
        raise CheckpointError(f"{weights.path}: sha256 is another one")

    def broken(run):
        raise CheckpointError("is not a readable checkpoint")

    monkeypatch.setattr(launch, "verified_sha256", refused)
    monkeypatch.setattr(launch, "_load", broken)
    data = refcoco_files.write(tmp_path / "data")
    assert main(
        ["run", "--task", "refcoco+", "--split", "val", "--checkpoint", "xvlm-shapes",
         "--data", str(data), "--out", str(tmp_path)]
    ) == 3  # fmt: skip
    assert "sha256 is another one" in capsys.readouterr().err


def test_a_changed_file_is_read_again(tmp_path):
    path, made = tmp_path / "a.json", []

    @shared
    def read(path):
        made.append(path)
        return read_json(path)

    path.write_text("[1]")
    with reading_into(Reads(share=True)):
        assert read(path) is read(path)
        assert sha256_of_read(path) == hashlib.sha256(b"[1]").hexdigest()
        path.write_text("[1, 2]")
        assert sha256_of_read(path) is None
        assert read(path) == [1, 2]
        assert sha256_of_read(path) == hashlib.sha256(b"[1, 2]").hexdigest()
    assert len(made) == 2
    assert sha256_of_read(path) is None
    assert read(path) is not read(path)
    with reading_into(Reads(share=False)):
        assert read(path) is not read(path)
