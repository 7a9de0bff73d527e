"""ALBEF and BLIP from the command line to a record, with random weights made on the spot."""

import json

import pytest

from harness.capabilities import PairReasoner
from harness.checkpoints import Weights, find_weights
from harness.cli.main import main
from harness.errors import CapabilityError
from harness.records.record import SIDECARS
from harness.registry import load_model
from tests.support.random_weights import network, write_vocabulary, write_weights

RUNS = [
    (
        "albef-14m",
        "coco-retrieval",
        "itm-only|k=256|karpathy|albef|itc+itm|384px|bicubic|30-words|30-tokens",
    ),
    ("albef-14m", "vqav2", "albef|vqa|384px|bicubic|50-words"),
    ("albef-14m", "refcoco+-weak", "albef|itm-gradcam|layer 4|384px|bicubic|30-words"),
    ("albef-4m", "ovad", "albef|itc|256px|bilinear|25-tokens"),
    (
        "blip-base",
        "coco-retrieval",
        "itm+itc|k=256|karpathy|blip|itc+itm|384px|bicubic|30-words|35-tokens",
    ),
    (
        "blip-base",
        "vqav2",
        "blip|vqa, ranked, label smoothing 0.1|480px|bicubic|50-words|35-tokens",
    ),
    ("blip-base", "nlvr2", "blip|nlvr|384px|bicubic|40-words"),
    (
        "blip-large",
        "coco-caption",
        "blip|captioning|3 beams|5 to 20 tokens|prompt 'a picture of'|384px|bicubic",
    ),
    ("blip-base", "ovad", "blip|itc|384px|bilinear|30-tokens"),
]


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The folder of checkpoints; a vocabulary lies in the cache of the hub's tools."""
    hub = tmp_path / "hub"
    write_vocabulary(hub / "models--google-bert--bert-base-uncased/snapshots/0/vocab.txt")
    monkeypatch.setenv("HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("XVLM_EVAL_CHECKPOINTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.mark.parametrize(("entry", "task", "protocol"), RUNS)
def test_a_family_runs_a_task_to_a_record(entry, task, protocol, weights, tmp_path):
    write_weights(weights, entry, task)
    split = find_split(task)
    arguments = ["--task", task, "--split", split, "--checkpoint", entry, "--limit", "4"]
    out = tmp_path / "out"
    assert main(["run", *arguments, "--device", "cpu", "--out", str(out)]) == 0
    (path,) = [path for path in out.rglob("*.json") if not path.name.endswith(SIDECARS)]
    record = json.loads(path.read_text())
    assert record["n"] == 4 and record["checkpoint"]["name"] == entry
    assert protocol in json.dumps(record)


def find_split(task):
    return {"vqav2": "val", "ovad": "box", "nlvr2": "dev", "refcoco+-weak": "val"}.get(task, "test")


def test_weights_of_another_head_are_refused(weights):
    write_weights(weights, "blip-base", "vqav2")
    found = find_weights("blip-base", task="vqav2", data=None)
    with pytest.raises(CapabilityError, match=r"is a checkpoint for question answering"):
        load_model(found, needs=[PairReasoner], device="cpu", dtype="float32")


def test_albef_judges_pairs_though_no_such_file_is_released(tmp_path):
    import numpy as np
    import torch

    torch.save(network("albef", "nlvr").state_dict(), tmp_path / "nlvr.pth")
    weights = Weights(
        "own", "albef", tmp_path / "nlvr.pth", write_vocabulary(tmp_path / "vocab.txt")
    )
    model = load_model(weights, needs=[PairReasoner], device="cpu", dtype="float32")
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    verdicts = model.judge(images, ["two cats", "a dog"], np.array([[0, 1], [2, 1]]))
    assert len(verdicts) == 2
