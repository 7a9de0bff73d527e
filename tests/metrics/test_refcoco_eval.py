"""RefCOCO+ accuracy from original files and X-VLM's flat lists, against the official code."""

import pytest

from harness.formats.folder import DataFolder
from harness.metrics.grounding import in_pixels, iou
from tasks.refcoco_plus import RefCOCOPlus
from tasks.refcoco_plus_files import FLAT

KIND = "refcoco_eval"
SPLITS = RefCOCOPlus.splits


@pytest.fixture(params=["originals", "flat"])
def data(request, case, tmp_path):
    """The golden folder as a data folder, without flat lists for `originals` and without images."""
    (tmp_path / "refcoco+").symlink_to(case.path / "refcoco+")
    (tmp_path / "train2014").mkdir()
    if request.param == "flat":
        case.path_of("refcoco+_val.json")
        for path in case.path.glob("refcoco+_*.json"):
            (tmp_path / path.name).symlink_to(path)
    folder = DataFolder(tmp_path, "files")
    assert (folder.find(FLAT["val"]) is not None) == (request.param == "flat")
    return folder


def test_accuracy_is_the_official_one(case, data):
    predictions = {entry["sent_id"]: entry["pred"] for entry in case.json("predictions.json")}
    expected = case.json("expected.json")
    for split in SPLITS:
        samples = RefCOCOPlus().load(data, split)
        assert len(samples) == expected["n_expressions"][split]
        scores = RefCOCOPlus().score(samples, predictions)
        assert scores.metrics["accuracy"] == pytest.approx(
            100 * expected["overall"][f"{split}_d"], abs=1e-9
        )


def test_every_iou_is_the_official_one_bit_for_bit(case, data):
    samples = {sample.id: sample for split in SPLITS for sample in RefCOCOPlus().load(data, split)}
    entries = zip(
        case.json("predictions.json"), case.json("expected_per_expression.json"), strict=True
    )
    for entry, expected in entries:
        sample = samples[entry["sent_id"]]
        assert sample.text == entry["text"]
        overlap = iou(
            sample.box, in_pixels(entry["pred"], width=sample.width, height=sample.height)
        )
        assert overlap == expected["iou"], entry["kind"]
        assert (overlap >= 0.5) == expected["correct"], entry["kind"]
