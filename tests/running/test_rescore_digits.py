"""`score` ranks scores as they are given: no digit is rounded away, in any format."""

import json

import numpy as np
import pytest

from harness.cli.main import main
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data


def scored(capsys, task, split, path):
    flags = ["--task", task, "--split", split, "--predictions", str(path), "--format", "json"]
    assert main(["score", *flags]) == 0
    return json.loads(capsys.readouterr().out)["metrics"]


def right(samples):
    """Which text belongs to which image [images, texts]."""
    image_of = np.repeat(np.arange(len(samples)), [len(s.captions) for s in samples])
    return image_of[None] == np.arange(len(samples))[:, None]


FINE = {
    "float64": lambda hit: 0.5 + 1e-12 * hit,
    "large": lambda hit: 1e300 * (1 + hit),
    "int64": lambda hit: 2**60 + hit.astype(np.int64),
    "uint64": lambda hit: np.uint64(2**63) + hit.astype(np.uint64),
    "float32": lambda hit: np.float32(0.5) + np.float32(2**-20) * hit,
}


@pytest.mark.parametrize("kind", FINE)
def test_matrices_of_every_type_rank_the_right_texts_first(tmp_path, capsys, kind):
    scores = FINE[kind](right(find_task("coco-retrieval").load(embedded_data(), "val")))
    np.savez(tmp_path / "s.npz", score_matrix_i2t=scores, score_matrix_t2i=scores.T)
    metrics = scored(capsys, "coco-retrieval", "val", tmp_path / "s.npz")
    assert metrics["i2t_r1"] == metrics["t2i_r1"] == 100.0


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_scores_of_attributes_keep_their_digits(tmp_path, capsys, kind):
    labels = np.array([s.labels for s in find_task("ovad").load(embedded_data(), "box")])
    np.save(tmp_path / "s.npy", FINE[kind](labels == 1))
    assert scored(capsys, "ovad", "box", tmp_path / "s.npy")["map"] == pytest.approx(100.0)


@pytest.mark.parametrize("scale", [1e-12, 1e300])
def test_our_own_file_of_another_model_keeps_its_digits(tmp_path, capsys, scale):
    samples = find_task("coco-retrieval").load(embedded_data(), "val")
    head = {"format": "xvlm-eval predictions 1", "software": {}}
    head["identity"] = {"task": "coco-retrieval", "split": "val"}
    texts = list(range(sum(len(s.captions) for s in samples)))
    lines = [
        {"id": s.id, "prediction": {"texts": texts, "itc": score, "itm": score}}
        for s, hits in zip(samples, right(samples), strict=True)
        if (score := [0.5 + scale * hit for hit in hits.tolist()])
    ]
    path = tmp_path / "p.predictions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [head, *lines]))
    metrics = scored(capsys, "coco-retrieval", "val", path)
    assert metrics["i2t_r1"] == metrics["t2i_r1"] == 100.0
