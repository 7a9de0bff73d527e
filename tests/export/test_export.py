"""`xvlm-eval export`: results in the formats of other tools."""

import csv
import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from harness.cli.main import main
from harness.files.paths import shipped_path

NOTES = (
    "accuracy of val, n = 1056; 95 % interval 95.89 to 99.45; protocol "
    "iou>=0.5|per-expression|bbox|96px|bicubic|30-words; float32; weights xvlm-shapes, SHA-256 "
    "5f7f1874ba2a45e29ea633be845d5b17c91a1cabdab348addc180cc4b284260b; xvlm-eval 0.1.0, "
    "task version 1"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return a folder of results that are not of the embedded benchmark."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "xvlm-shapes").mkdir()
    for path in (shipped_path("results") / "xvlm-shapes").glob("*.json"):
        record = json.loads(path.read_text())
        record["data"]["name"] = "files"
        (folder / "xvlm-shapes" / path.name).write_text(json.dumps(record))
    return folder


def export(*arguments) -> int:
    return main(["export", *map(str, arguments)])


def test_eval_results_are_as_the_hub_reads_them(real, tmp_path, capsys):
    from huggingface_hub import parse_eval_result_entries

    source = ["--source-url", "https://e.org/log", "--source-name", "log", "--source-user", "me"]
    where = [real, "--format", "eval-results", "--out", tmp_path, "--task", "refcoco+,nlvr2"]
    assert export(*where, *source, "--date", "2026-01-31") == 0
    paths = sorted((tmp_path / ".eval_results").iterdir())
    assert [path.name for path in paths] == [
        f"refcoco+.{split}.yaml" for split in ("testA", "testB", "val")
    ]
    (entry,) = parse_eval_result_entries(yaml.safe_load(paths[-1].read_text()))
    assert (entry.dataset_id, entry.task_id) == ("lmms-lab/RefCOCOplus", "refcoco+.val")
    assert (entry.value, entry.date, entry.notes) == (98.48, "2026-01-31", NOTES)
    assert (entry.source_url, entry.source_name, entry.source_user) == (
        "https://e.org/log", "log", "me",
    )  # fmt: skip
    assert "nlvr2 dev: no data set of Hugging Face's hub is known" in capsys.readouterr().err
    given = ["--task", "nlvr2", "--split", "test", "--dataset", "me/nlvr2", "--task-id", "test-p"]
    assert export(real, "--format", "eval-results", "--out", tmp_path, *given) == 0
    (item,) = yaml.safe_load((tmp_path / ".eval_results" / "nlvr2.test.yaml").read_text())
    assert item["dataset"] == {"id": "me/nlvr2", "task_id": "test-p"} and "source" not in item


def test_a_model_index_is_as_the_hub_reads_it(real, tmp_path, capsys):
    assert export(real, "--format", "model-index", "--task", "refcoco+,vqav2") == 0
    shown = capsys.readouterr()
    data = ModelCard(shown.out).data
    results = data.eval_results
    assert data.model_name == "xvlm-shapes"
    (val,) = (r for r in results if r.dataset_split == "val" and r.task_name == "refcoco+")
    assert (val.task_type, val.dataset_type) == (
        "zero-shot-object-detection", "lmms-lab/RefCOCOplus",
    )  # fmt: skip
    assert (val.metric_type, val.metric_value) == ("accuracy", 98.48)
    assert val.metric_args["n"] == 1056 and val.metric_args["interval_95"] == [95.89, 99.45]
    assert "left out: xvlm-shapes vqav2 test: has no metric yet" in shown.err
    written = tmp_path / "card" / "README.md"
    arguments = ["--out", written, "--source-url", "https://e.org"]
    assert export(real, "--format", "model-index", "--task", "refcoco+", *arguments) == 0
    index = yaml.safe_load(written.read_text().split("---")[1])["model-index"]
    _, evaluations = model_index_to_eval_results(index)
    assert {result.source_url for result in evaluations} == {"https://e.org"}


def test_every_sample_is_a_row_of_csv(capsys):
    assert export(shipped_path("results"), "--format", "csv", "--task", "refcoco+") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    first = next(row for row in rows if (row["split"], row["id"]) == ("val", "0"))
    assert len(rows) == 1056 + 702 + 696
    assert (first["text"], first["truth"]) == ("huge shape", "x 14, y 63, 56 × 52")
    assert Path(first["image"]).name == "COCO_train2014_000000000001.jpg"
    assert first["accuracy"] == "100.0" and len(json.loads(first["stored"])) == 4


def test_every_sample_is_a_row_of_parquet_with_its_type(tmp_path):
    path = tmp_path / "new" / "samples.parquet"
    tasks = ["--task", "nlvr2", "--task", "ovad"]
    assert export(shipped_path("results"), "--format", "parquet", *tasks, "--out", path) == 0
    table = pd.read_parquet(path)
    assert table.groupby(["task", "split"]).size().to_dict() == {
        ("nlvr2", "dev"): 160, ("nlvr2", "test"): 320, ("ovad", "box"): 514,
    }  # fmt: skip
    assert table.accuracy.dtype == float and table.accuracy.notna().sum() == 480
    stored = table[table.task == "nlvr2"].stored.map(json.loads)
    assert stored.map(lambda prediction: type(prediction["answer"]) is bool).all()


def test_what_is_no_result_is_not_published(real, tmp_path, capsys):
    assert export(shipped_path("results"), "--format", "model-index") == 3
    assert "refcoco+ val: is of the embedded benchmark" in capsys.readouterr().err
    shutil.copytree(real / "xvlm-shapes", tmp_path / "xvlm-shapes")
    path = tmp_path / "xvlm-shapes" / "refcoco+.val.json"
    record = json.loads(path.read_text())
    record |= {"n": 5, "subset": {"limit": 5, "total": 1056}}
    path.with_name("refcoco+.val.limit-5.json").write_text(json.dumps(record))
    chosen = ["--task", "refcoco+", "--split", "val"]
    assert export(tmp_path, "--format", "model-index", *chosen) == 0
    assert "left out: xvlm-shapes refcoco+ val: is of 5 of 1056" in capsys.readouterr().err
    record |= {"subset": None, "checkpoint": {"name": "other"}}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "refcoco+.val.json").write_text(json.dumps(record))
    assert export(tmp_path, "--format", "model-index", *chosen) == 2
    assert "several checkpoints, other, xvlm-shapes" in capsys.readouterr().err
    assert export(tmp_path, "--format", "model-index", *chosen, "--checkpoint", "other") == 0


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--format", "eval-results"], 2, "name their folder by --out DIR"),
        (["--format", "eval-results", "--out", "x", "--dataset", "a/b"], 2, "of one benchmark"),
        (["--format", "eval-results", "--out", "x", "--task-id", "a"], 2, "--task-id names one"),
        (["--format", "eval-results", "--out", "x", "--task", "nlvr2"], 3, "no result to publish"),
        (["--format", "parquet"], 2, "name it by --out FILE"),
        (["--format", "csv", "--task", "ovad", "--split", "val"], 3, "holds no result of this"),
        (["--format", "csv", "--checkpoint", "nobody"], 3, "holds no result of this"),
        (["--format", "model-index", "--source-user", "me"], 2, "need --source-url"),
        (["--format", "model-index", "--date", "today"], 2, "--date today: should be like"),
    ],
)
def test_what_cannot_be_exported_says_what_to_do(arguments, code, message, real, capsys):
    assert export(real, *arguments) == code
    assert message in capsys.readouterr().err


def test_a_folder_without_results_and_one_that_cannot_be_written_are_named(real, tmp_path, capsys):
    assert export(tmp_path, "--format", "csv") == 3
    assert f"{tmp_path}: holds no result" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "README.md"
    assert export(real, "--format", "model-index", "--task", "refcoco+", "--out", out) == 4
    assert f"{out}: cannot be written" in capsys.readouterr().err


def test_a_result_of_a_task_that_is_not_installed_stops_no_export(real, tmp_path, capsys):
    shutil.copytree(real, tmp_path / "runs")
    folder = tmp_path / "runs" / "xvlm-shapes"
    record = json.loads((folder / "refcoco+.val.json").read_text())
    (folder / "chess.val.json").write_text(json.dumps({**record, "task": "chess"}))
    where = [tmp_path / "runs", "--format", "eval-results", "--out", tmp_path, "--source-url"]
    assert export(*where, "https://e.org") == 0
    names = [path.name for path in (tmp_path / ".eval_results").iterdir()]
    assert "refcoco+.val.yaml" in names and "chess.val.yaml" not in names
    assert "chess val: no data set of Hugging Face's hub is known" in capsys.readouterr().err
    card = tmp_path / "card.md"
    assert export(tmp_path / "runs", "--format", "model-index", "--out", card) == 0
    index = yaml.safe_load(card.read_text().split("---")[1])["model-index"]
    results = model_index_to_eval_results(index)[1]
    assert ("chess", "other") in {(result.dataset_name, result.task_type) for result in results}
