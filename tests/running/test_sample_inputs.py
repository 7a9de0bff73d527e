"""What every sample was predicted from: kept beside its prediction, and compared on resume."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.cli.main import main
from harness.images import Region
from harness.records import provenance
from harness.records.fingerprints import Fingerprint, checksum, from_text
from harness.running.inputs.sample_inputs import InputChecksums
from harness.task import Sample
from tasks.refcoco_plus import RefCOCOPlus
from tests.support import refcoco_files

STEM = "xvlm-shapes/refcoco+.val"


@pytest.fixture
def command(tmp_path):
    data = refcoco_files.write(tmp_path / "data")
    return [
        "run", "--task", "refcoco+", "--split", "val", "--checkpoint", "xvlm-shapes",
        "--data", str(data), "--out", str(tmp_path / "runs"), "--batch-size", "4",
    ]  # fmt: skip


def lines(tmp_path):
    path = tmp_path / "runs" / f"{STEM}.predictions.jsonl"
    return list(map(json.loads, path.read_text().splitlines()[1:]))


def test_a_replaced_picture_is_refused_by_sample_and_predicted_anew_with_fresh(
    command, tmp_path, capsys
):
    assert main(command) == 0
    before = lines(tmp_path)
    assert [len(line["inputs"]) for line in before] == [24, 24, 24]
    with np.load(tmp_path / "runs" / f"{STEM}.contributions.npz") as file:
        assert [f"{a:08x}{b:08x}{c:08x}" for a, b, c in file["inputs"].tolist()] == [
            line["inputs"] for line in before
        ]
    assert main(command) == 0  # nothing changed: the predictions are kept
    picture = tmp_path / "data/images/coco/train2014/one.jpg"
    Image.new("RGB", (100, 80), "green").save(picture)
    capsys.readouterr()
    assert main(command) == 4
    error = capsys.readouterr().err
    assert "3 of its predictions were made from other inputs" in error
    assert "100 (one.jpg)" in error and "--fresh" in error
    assert main([*command, "--fresh"]) == 0
    after = lines(tmp_path)
    for old, new in zip(before, after, strict=True):
        old, new = from_text(old["inputs"]), from_text(new["inputs"])
        assert old.files != new.files and old.pixels != new.pixels and old.texts == new.texts


def test_a_resumed_run_refuses_other_texts_before_it_predicts(command, tmp_path, capsys):
    """The annotations are the same: a task read them otherwise, or the file was damaged."""
    assert main(command) == 0
    path = tmp_path / "runs" / f"{STEM}.predictions.jsonl"
    head, *samples = path.read_text().splitlines()
    end = samples[1].rindex('"')
    assert samples[1][end - 1] in "0123456789abcdef"
    samples[1] = f"{samples[1][: end - 1]}{'10'[samples[1][end - 1] == '1']}{samples[1][end:]}"
    path.write_text(damaged := "\n".join([head, *samples[:2], ""]))
    capsys.readouterr()
    assert main(command) == 4
    error = capsys.readouterr().err
    assert "1 of its predictions were made from other inputs" in error
    assert "of sample 101 (texts); give these back, or predict anew with --fresh" in error
    assert path.read_text() == damaged


def test_predictions_of_other_code_are_refused(command, tmp_path, capsys, monkeypatch):
    assert main(command) == 0
    record = json.loads((tmp_path / "runs" / f"{STEM}.json").read_text())
    assert record["software"]["code"] == provenance.code_sha256()
    monkeypatch.setattr(provenance, "_own_code", lambda: "another")
    capsys.readouterr()
    assert main(command) == 4
    assert "code.sha256" in capsys.readouterr().err


def test_the_code_of_reports_is_no_part_of_a_run():
    assert not {"cli", "drift", "tables"} - set(provenance.NOT_PREDICTING)


def test_the_code_of_a_task_of_another_package_counts():
    assert provenance.code_sha256(RefCOCOPlus()) == provenance.code_sha256()
    assert provenance.code_sha256(object()) != provenance.code_sha256()


def test_a_region_and_the_same_picture_prepared_otherwise_are_told_apart(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)

    sums = InputChecksums()
    views = (path, Region(path, (0, 0, 2, 2)))
    sums.add(dict.fromkeys(views, pixels))
    task = _Silent()
    whole, region = (from_text(sums.of(task, [Sample(1, (view,))])[1]) for view in views)
    assert whole.pixels == region.pixels and whole.files != region.files
    other = InputChecksums()
    other.add({path: pixels + 1})
    prepared = from_text(other.of(task, [Sample(1, (path,))])[1])
    assert prepared.files == whole.files and prepared.pixels != whole.pixels
    assert sums.of(task, [Sample(2, (tmp_path / "unread.png",))]) == {}


def test_a_checksum_tells_where_each_content_ends():
    assert checksum([b"ab", b"c"]) != checksum([b"a", b"bc"])
    assert from_text(Fingerprint(1, 2, 2**32 - 1).to_text()) == (1, 2, 2**32 - 1)
    with pytest.raises(ValueError, match="no fingerprint"):
        from_text("00")


class _Silent:
    def texts(self, sample):
        return ()
