"""Results as objects: samples as DataFrames, pictures, own predictions, what notebooks show."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness import evaluate, load_task, read_results, score
from harness.api.samples import ResultSample
from harness.errors import (
    DataError,
    HarnessWarning,
    MissingError,
    UsageError,
)
from harness.files.paths import shipped_path
from harness.metrics import in_fractions


@pytest.fixture(scope="module")
def baseline():
    return read_results(shipped_path("results"))


@pytest.fixture(scope="module")
def val(baseline):
    return baseline.filter(task="RefCOCO+", split="VAL")


def test_results_are_chosen_by_task_split_and_checkpoint(baseline):
    assert len(baseline) == 15 and len(baseline.filter(task="vqav2")) == 3
    assert [r.split for r in baseline.filter(task="vqav2")[1:]] == ["test", "val"]
    with pytest.raises(UsageError, match=r"no result of ovad val; there are: xvlm-shapes coco"):
        baseline.filter(task="ovad", split="val")
    with pytest.raises(UsageError, match="metrics of 15 results"):
        _ = baseline.metrics


def test_a_record_is_read_by_its_file(val):
    results = read_results(val[0].path)
    assert results.metrics == val.metrics and not results.complete
    assert results.folder == shipped_path("results")


def test_the_table_has_a_row_for_each_metric_with_its_interval(baseline):
    table = baseline.table()
    (row,) = table[(table.task == "refcoco+") & (table.split == "val")].to_dict("records")
    assert round(row["value"], 2) == 98.48 and row["low"] < row["value"] < row["high"]
    assert (row["n"], row["subset"], row["data"]) == (1056, False, "shapes")


def test_the_samples_of_a_result_are_a_data_frame(val):
    samples = val.samples()
    assert list(samples) == [
        *("image", "text", "truth", "prediction", "accuracy", "iou", "wrong", "stored")
    ]
    assert samples.accuracy.mean() == pytest.approx(val.metrics["accuracy"])
    assert (samples.wrong == (samples.accuracy == 0)).all()
    assert samples.loc[0, "text"] == "huge shape"
    assert samples.loc[0, "stored"] == val[0].predictions[0]


def test_the_samples_of_several_results_name_theirs(baseline):
    samples = baseline.filter(task="nlvr2").samples()
    assert list(samples)[:4] == ["checkpoint", "task", "split", "id"]
    assert samples.groupby("split").size().to_dict() == {"dev": 160, "test": 320}


def test_every_task_has_samples_and_pictures(baseline):
    for result in baseline:
        frame = result.samples()
        assert len(frame) == result.n
        picture = result.sample(frame.index[0]).picture
        assert min(picture.size) > 10
    with pytest.raises(UsageError, match="has no sample 'nobody'"):
        baseline[0].sample("nobody")


def test_a_sample_has_its_boxes_in_pixels_and_draws_them(val):
    sample = val.sample(45)
    assert sample.wrong is True and sample.scores["accuracy"] == 0
    ((x, y, width, height),) = sample.boxes["truth"]
    assert (x, y, width, height) == sample.annotation.box
    picture = Image.open(io.BytesIO(sample._repr_png_()))
    assert picture.size == sample.picture.size
    plain = Image.open(sample.annotation.images[0]).resize(picture.size)
    assert np.abs(np.asarray(picture, int) - np.asarray(plain.convert("RGB"), int)).max() > 100


def test_what_a_notebook_shows_is_escaped(val):
    stored = val.sample(45)._stored
    view = replace(stored.view, texts=("<script>alert(1)</script>",), truth="<b>", pictures=())
    shown = ResultSample(replace(stored, view=view))._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "<b>" not in shown
    assert "<img" in val.sample(45)._repr_html_()
    record = replace(val[0].record, checkpoint={"name": "<i>mine</i>"})
    val_of_mine = type(val)(
        [type(val[0])(replace(val[0].stored, record=record), val[0]._data)], folder=val.folder
    )
    assert "<i>" not in val_of_mine._repr_html_() and "<table>" in val_of_mine._repr_html_()


def test_what_is_not_at_hand_is_a_warning(grounder, tmp_path):
    results = evaluate(grounder, "refcoco+", split="val", limit=5, out=tmp_path)
    (tmp_path / "xvlm-shapes" / "refcoco+.val.limit-5.predictions.jsonl").unlink()
    with pytest.warns(HarnessWarning, match="no predictions are shown: they were not kept"):
        samples = read_results(tmp_path).samples()
    assert set(samples.prediction) == {"(not kept)"} and samples.text.notna().all()
    (tmp_path / "xvlm-shapes" / "broken.json").write_text("{}")
    with pytest.warns(HarnessWarning, match=r"broken\.json: is not a result record"):
        assert len(read_results(tmp_path)) == len(results)
    with pytest.raises(MissingError, match="no such record or folder of results"):
        read_results(tmp_path / "nowhere")


def test_own_predictions_score_alike_however_they_come(val, tmp_path):
    predictions = dict(val[0].predictions)
    frame = pd.DataFrame({"id": list(predictions), "prediction": list(predictions.values())})
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"sent_id": i, "pred": box} for i, box in predictions.items()]))
    pixels = {
        s.id: in_fractions(tuple(s.box), width=s.width, height=s.height)
        for s in load_task("refcoco+").samples("val")
    }
    for given in (predictions, {str(i): np.array(b) for i, b in predictions.items()},
                  frame, frame.set_index("id"), path, str(path)):  # fmt: skip
        assert score("refcoco+", given, split="val").metrics == val.metrics
    assert score("refcoco+", pixels, split="val").metrics == {"accuracy": 100.0}


def test_scored_predictions_are_results_with_samples(val, tmp_path):
    (result,) = score("refcoco+", val[0].predictions, split="val", name="mine", out=tmp_path)
    assert result.path == tmp_path / "mine" / "refcoco+.val.json"
    assert result.checkpoint == "mine" and result.samples().wrong.sum() == 16
    assert read_results(tmp_path).metrics == val.metrics


def test_predictions_that_do_not_fit_are_refused(val):
    predictions = dict(val[0].predictions)
    fewer = dict(list(predictions.items())[1:])
    with pytest.raises(DataError, match=r"the predictions: 1 ids are missing, e.g. 0"):
        score("refcoco+", fewer, split="val")
    with pytest.raises(DataError, match=r"1 ids belong to no sample, e.g. 'x'"):
        score("refcoco+", {**predictions, "x": [0, 0, 0, 0]}, split="val")
    twice = pd.DataFrame({"id": [1, 1], "prediction": [[0, 0, 0, 0]] * 2})
    with pytest.raises(DataError, match=r"several of one id, e.g. 1"):
        score("refcoco+", twice, split="val")
    with pytest.raises(DataError, match="neither pixels nor corners"):
        score("refcoco+", {i: [10, 10, 20, 20] for i in predictions}, split="val")
    with pytest.raises(UsageError, match="predictions should be a mapping"):
        score("refcoco+", [1, 2], split="val")
    with pytest.raises(UsageError, match="truths of vqav2 test are hidden"):
        score("vqav2", {}, split="test")
