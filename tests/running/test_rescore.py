"""Stored predictions scored without a model: ours, and the official formats of the benchmarks."""

import gzip
import json
import shutil

import numpy as np
import pytest

from harness.cli.main import main
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.support import refcoco_files
from tests.support.loaded import loaded_by
from tests.support.tampered import COMMITTED


@pytest.fixture(scope="module")
def data():
    return embedded_data()


def truth(task, split, data):
    """The right predictions of a split in the benchmark's own format: a file name, and content."""
    samples = find_task(task).load(data, split)
    if task == "vqav2":
        answers = [
            max(s.answers, key=lambda a: [b["answer"] for b in s.answers].count(a["answer"]))[
                "answer"
            ]
            for s in samples
        ]
        return "results.json", json.dumps(
            [{"question_id": s.id, "answer": a} for s, a in zip(samples, answers, strict=True)]
        )
    if task == "nlvr2":
        return "predictions.csv", "".join(f"{s.id},{s.label}\n" for s in samples)
    if task == "coco-caption":
        return "results.json", json.dumps(
            [{"image_id": s.id, "caption": s.captions[0]} for s in samples]
        )
    if task == "refcoco+":
        return "boxes.json", json.dumps(
            [{"sent_id": s.id, "pred": as_predicted(s)} for s in samples]
        )
    raise AssertionError(task)


def as_predicted(sample):
    """The true box of an expression as a model would say it: (cx, cy, w, h) in 0..1."""
    x, y, width, height = sample.box
    return [
        (x + width / 2) / sample.width,
        (y + height / 2) / sample.height,
        width / sample.width,
        height / sample.height,
    ]


def scored(task, split, path, capsys):
    code = main(
        ["score", "--task", task, "--split", split, "--predictions", str(path), "--format", "json"]
    )
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if code == 0 else shown.err


@pytest.mark.parametrize(
    ("task", "split", "metric", "least"),
    [
        ("vqav2", "val", "accuracy", 99.0),
        ("nlvr2", "test", "consistency", 100.0),
        ("coco-caption", "val", "bleu1", 100.0 - 1e-6),
        ("refcoco+", "testA", "accuracy", 100.0),
    ],
)
def test_right_predictions_in_the_official_format_score_fully(
    data, tmp_path, capsys, task, split, metric, least
):
    name, content = truth(task, split, data)
    (tmp_path / name).write_text(content)
    code, shown = scored(task, split, tmp_path / name, capsys)
    assert code == 0
    assert shown["metrics"][metric] >= least
    assert shown["n"] == len(find_task(task).load(data, split)) and shown["data"] == "shapes"


def test_matrices_of_scores_are_ranked(data, tmp_path, capsys):
    samples = find_task("coco-retrieval").load(data, "val")
    image_of = np.repeat(np.arange(len(samples)), [len(s.captions) for s in samples])
    right = (image_of[None] == np.arange(len(samples))[:, None]).astype(np.float32)
    np.savez(tmp_path / "scores.npz", score_matrix_i2t=right, score_matrix_t2i=right.T)
    code, shown = scored("coco-retrieval", "val", tmp_path / "scores.npz", capsys)
    assert code == 0 and shown["metrics"]["i2t_r1"] == shown["metrics"]["t2i_r1"] == 100.0
    np.savez(tmp_path / "short.npz", score_matrix_i2t=right)
    assert (
        "has no array score_matrix_t2i"
        in scored("coco-retrieval", "val", tmp_path / "short.npz", capsys)[1]
    )


def test_a_matrix_of_attribute_scores_is_ranked(data, tmp_path, capsys):
    samples = find_task("ovad").load(data, "box")
    labels = np.array([sample.labels for sample in samples], dtype=np.float32)
    np.save(tmp_path / "scores.npy", labels)
    code, shown = scored("ovad", "box", tmp_path / "scores.npy", capsys)
    assert code == 0 and shown["metrics"]["map"] == pytest.approx(100.0)
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object))
    assert "objects.npy" in scored("ovad", "box", tmp_path / "objects.npy", capsys)[1]


def test_x_vlms_boxes_by_reference_are_taken_in_order(data, tmp_path, capsys):
    name, content = truth("refcoco+", "val", data)
    samples = {sample.id: sample for sample in find_task("refcoco+").load(data, "val")}
    entries = [
        {"ref_id": samples[entry["sent_id"]].ref_id, "pred": entry["pred"]}
        for entry in json.loads(content)
    ]
    (tmp_path / name).write_text(json.dumps(entries))
    assert scored("refcoco+", "val", tmp_path / name, capsys)[1]["metrics"]["accuracy"] == 100.0
    (tmp_path / name).write_text(json.dumps([*entries, entries[0]]))
    assert "this is one more" in scored("refcoco+", "val", tmp_path / name, capsys)[1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: lines[1:], "1 ids are missing, e.g. 'dev-0-0-0'"),
        (lambda lines: [*lines, lines[0]], "1 ids occur more than once, e.g. 'dev-0-0-0'"),
        (
            lambda lines: [*lines, "dev-9-9-9-9,True\n"],
            "1 ids belong to no sample, e.g. 'dev-9-9-9-9'",
        ),
        (lambda lines: [*lines, "dev-0-0-0,maybe\n"], "line 161: should be `identifier,True`"),
        (lambda lines: [], "160 ids are missing"),
    ],
)
def test_predictions_that_are_not_those_of_the_samples_are_refused_with_counts_and_examples(
    data, tmp_path, capsys, change, complaint
):
    _, content = truth("nlvr2", "dev", data)
    (tmp_path / "p.csv").write_text("".join(change(content.splitlines(keepends=True))))
    code, shown = scored("nlvr2", "dev", tmp_path / "p.csv", capsys)
    assert code == 3 and complaint in shown


def test_our_own_prediction_file_scores_what_the_run_scored(tmp_path, capsys):
    assert main(["run", "--task", "refcoco+", "--split", "testB", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "xvlm-shapes" / "refcoco+.testB.json").read_text())
    capsys.readouterr()
    path = tmp_path / "xvlm-shapes" / "refcoco+.testB.predictions.jsonl"
    code, shown = scored("refcoco+", "testB", path, capsys)
    assert (
        code == 0
        and shown["metrics"] == record["metrics"]
        and list(map(tuple, shown["intervals"].values()))
        == [tuple(record["intervals"]["accuracy"])]
    )
    assert scored("refcoco+", "val", path, capsys)[0] == 2
    assert (
        main(["score", "--task", "refcoco+", "--split", "testB", "--predictions", str(path)]) == 0
    )
    assert "accuracy" in capsys.readouterr().out


def test_hidden_truths_cannot_be_scored_here(tmp_path, capsys):
    (tmp_path / "p.json").write_text("[]")
    code, shown = scored("vqav2", "test-dev", tmp_path / "p.json", capsys)
    assert code == 2 and "eval.ai" in shown


@pytest.mark.parametrize("content", [None, b"", b"\x00", b"{", b"[1]"])
def test_a_file_that_holds_no_predictions_is_refused(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "p.json").write_bytes(content)
    code, shown = scored("vqav2", "val", tmp_path / "p.json", capsys)
    assert code == 3 and "p.json" in shown


def test_scoring_loads_neither_torch_nor_transformers(data, tmp_path):
    name, content = truth("nlvr2", "dev", data)
    (tmp_path / name).write_text(content)
    loaded = loaded_by(
        "score", "--task", "nlvr2", "--split", "dev", "--predictions", str(tmp_path / name)
    )
    assert not loaded & {"torch", "transformers", "datasets"}


def test_predictions_of_other_annotations_are_scored_with_a_word_about_it(tmp_path, capsys):
    """As after the annotations were corrected; `check --rescore` and `--out` refuse them."""
    predictions = COMMITTED / "nlvr2.dev.predictions.jsonl.gz"
    score = ["score", "--task", "nlvr2", "--split", "dev", "--predictions", str(predictions)]
    annotations = (embedded_data().root / "nlvr2" / "dev.json").read_text()
    path = tmp_path / "moved" / "nlvr2" / "data" / "dev.json"
    path.parent.mkdir(parents=True)
    path.write_text(annotations)
    assert main([*score, "--data", str(tmp_path / "moved")]) == 0
    assert "other annotation files" not in capsys.readouterr().err  # the same, elsewhere
    assert main([*score, "--data", str(tmp_path / "moved"), "--out", str(tmp_path / "r")]) == 3
    said = "made on the data 'shapes', and are scored on 'files', whose files are the same"
    assert said in capsys.readouterr().err  # a record names its data

    path.write_text(annotations.replace('"True"', '"False"', 1))
    assert main([*score, "--data", str(tmp_path / "moved")]) == 0
    said = "nlvr2 dev: the predictions were made on other annotation files than those that score"
    assert f"{said} them here (nlvr2/data/dev.json, nlvr2/dev.json); name their own by --data" in (
        capsys.readouterr().err
    )
    assert main([*score, "--data", str(tmp_path / "moved"), "--format", "json"]) == 0
    (caveat,) = json.loads(capsys.readouterr().out)["caveats"]
    assert f"nlvr2 dev: {caveat}".startswith(said)


def test_predictions_of_another_version_of_a_task_are_scored_with_a_word_about_it(tmp_path, capsys):
    content = gzip.decompress((COMMITTED / "nlvr2.dev.predictions.jsonl.gz").read_bytes())
    path = tmp_path / "old.jsonl"
    path.write_bytes(content.replace(b'"task_version":1', b'"task_version":0', 1))
    assert scored("nlvr2", "dev", path, capsys)[1]["caveats"] == [
        "the predictions were made by version 0 of nlvr2, and are scored by version 1"
    ]


def test_scoring_needs_no_images(tmp_path, capsys):
    data = refcoco_files.write(tmp_path / "data")
    shutil.rmtree(data / "images")
    predictions = tmp_path / "boxes.json"
    box = [0.5, 0.5, 0.1, 0.1]
    predictions.write_text(json.dumps([{"sent_id": id, "pred": box} for id in (103, 104)]))
    arguments = ["--task", "refcoco+", "--split", "testA", "--predictions", str(predictions)]
    arguments += ["--data", str(data), "--format", "json"]
    assert main(["score", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 2
