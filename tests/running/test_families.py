"""ALBEF and BLIP from the command line to a record, with random weights made on the spot."""

import json

import pytest

from harness.capabilities import PairReasoner
from harness.checkpoints import Weights, find_weights
from harness.cli.main import main
from harness.errors import CapabilityError, DataError
from harness.records.record import SIDECARS
from harness.registry import find_task, load_model
from harness.shapes.benchmark import embedded_data
from tests.support.random_weights import network, write_vocabulary, write_weights
from tests.support.record_fields import undocumented

RUNS = [
    (
        "albef-14m",
        "coco-retrieval",
        "itm-only|k=256|karpathy|albef|itc+itm|384px|bicubic|30-words|30-tokens",
    ),
    ("albef-14m", "vqav2", "albef|vqa|384px|bicubic|50-words"),
    ("albef-14m", "refcoco+-weak", "albef|itm-gradcam|layer 4|384px|bicubic|30-words"),
    (
        "albef-4m",
        "ovad",
        "box-oracle|prompt-the|mean-of-sentences|albef|itc|256px|bilinear|25-tokens",
    ),
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
        "blip|captioning|384px|bicubic|3 beams|5 to 20 tokens|prompt 'a picture of'",
    ),
    (
        "blip-base",
        "ovad",
        "box-oracle|prompt-the|max-of-sentences|blip|itc|384px|bilinear|30-tokens",
    ),
]
SET = [  # by --model-args: entry, task, arguments, protocol
    ("albef-14m", "coco-retrieval", ["shortlist=3"], "itm-only|k=3|karpathy|albef|"),
    (
        "blip-base",
        "vqav2",
        ["answers=generated", "beams=2"],
        "official-scorer|generated|blip|vqa, generated|480px|bicubic|50-words|35-tokens|"
        "2 beams|1 to 10 tokens",
    ),
    (
        "blip-base",
        "vqav2",
        ["shortlist=3", "resolution=96"],
        "official-scorer|answer-list|k=3|blip|vqa, ranked, label smoothing 0.1|96px|bicubic|",
    ),
    (
        "albef-14m",
        "refcoco+-weak",
        ["gradcam=itc", "block=1"],
        "|albef|itc-gradcam|block 1|384px|bicubic|30-words",
    ),
    (
        "albef-4m",
        "ovad",
        ["ovad-prompt=photo", "ovad-pooling=max"],
        "box-oracle|prompt-photo|max-of-sentences|albef|itc|",
    ),
    (
        "blip-large",
        "coco-caption",
        ["prompt=a photo of", "beams=1", "repetition-penalty=1.1"],
        "|1 beams|5 to 20 tokens|repetition penalty 1.1|prompt 'a photo of'",
    ),
]
REFUSED = [
    ("blip-base", "vqav2", "answers=both", "answers should be ranked or generated"),
    ("blip-base", "vqav2", "beams=2", "beams: changes nothing of what blip-base does as Answerer"),
    ("blip-base", "vqav2", "resolution=97", "an image side of 97 px has no whole patches of 32"),
    ("blip-large", "coco-caption", f"prompt={'a ' * 30}", "has 31 tokens with the first one"),
    ("blip-large", "coco-caption", "beams=9999", "half of the model's word pieces"),
    ("blip-large", "coco-caption", "repetition-penalty=100", "a number from 1 to less than 100"),
    ("albef-14m", "refcoco+-weak", "block=0", "the layers with cross-attention are 2 to 5"),
    ("albef-14m", "coco-retrieval", "shortlist=0", "shortlist should be a whole number from 1 on"),
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
    assert protocol in run(entry, task, tmp_path / "out")["protocol"]


@pytest.mark.parametrize(("entry", "task", "arguments", "protocol"), SET)
def test_arguments_of_the_model_stand_in_the_protocol(
    entry, task, arguments, protocol, weights, tmp_path
):
    write_weights(weights, entry, task)
    flags = [flag for argument in arguments for flag in ("--model-args", argument)]
    record = run(entry, task, tmp_path / "out", *flags)
    assert protocol in record["protocol"]
    assert record["checkpoint"]["arguments"] == dict(text.split("=") for text in arguments)


@pytest.mark.parametrize(("entry", "task", "argument", "reason"), REFUSED)
def test_an_argument_that_makes_no_sense_is_refused(
    entry, task, argument, reason, weights, tmp_path, capsys
):
    write_weights(weights, entry, task)
    command = ["run", "--task", task, "--checkpoint", entry, "--model-args", argument]
    assert main([*command, "--split", find_split(task), "--out", str(tmp_path / "out")]) != 0
    assert reason in capsys.readouterr().err


def test_an_entry_sets_arguments_that_a_flag_replaces(weights, tmp_path, monkeypatch):
    write_weights(weights, "albef-4m", "ovad")
    (file,) = weights.rglob("*.pth")
    (tmp_path / "mine.yaml").write_text(
        "mine:\n  title: Mine\n  family: albef\n  licence: CC0-1.0\n"
        "  vocabulary: bert-base-uncased\n  files:\n"
        f"    ovad: {{path: {file}, head: pretrain, arguments: {{ovad-prompt: a}}}}\n"
    )
    monkeypatch.setenv("XVLM_EVAL_CHECKPOINTS_FILE", str(tmp_path / "mine.yaml"))
    assert "|prompt-a|mean-of" in run("mine", "ovad", tmp_path / "1")["protocol"]
    flags = ["--model-args", "ovad-prompt=none"]
    assert "|prompt-none|mean-of" in run("mine", "ovad", tmp_path / "2", *flags)["protocol"]


def test_a_shortlist_of_the_models_own_stays_with_its_predictions(weights, tmp_path):
    """A stored prediction is scored again by the same lists: 3 texts of each image, not 256."""
    write_weights(weights, "albef-14m", "coco-retrieval")
    flags = ["--model-args", "shortlist=3"]
    record = run("albef-14m", "coco-retrieval", tmp_path, *flags)
    (path,) = tmp_path.rglob("*.predictions.jsonl")
    stored = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    predictions = {entry["id"]: entry["prediction"] for entry in stored}
    assert {prediction["shortlist"] for prediction in predictions.values()} == {3}
    task = find_task("coco-retrieval")
    samples = [sample for sample in task.load(embedded_data(), "test") if sample.id in predictions]
    assert task.score(samples, predictions).metrics == record["metrics"]
    longer = {id: {**entry, "shortlist": 256} for id, entry in predictions.items()}
    with pytest.raises(DataError, match=r"holds \d+ texts, but the shortlist has 20"):
        task.score(samples, longer)
    longer[samples[0].id] = predictions[samples[0].id]
    with pytest.raises(
        DataError, match=r"shortlist of the prediction .* is 3, of that for image .* 256"
    ):
        task.score(samples, longer)


def run(entry, task, out, *flags):
    """Run four samples of the embedded benchmark, and return the record."""
    command = ["run", "--task", task, "--split", find_split(task), "--checkpoint", entry]
    command += ["--limit", "4", "--device", "cpu", "--out", str(out), *flags]
    assert main(command) == 0
    (path,) = [path for path in out.rglob("*.json") if not path.name.endswith(SIDECARS)]
    record = json.loads(path.read_text())
    assert record["n"] == 4 and record["checkpoint"]["name"] == entry
    assert undocumented(record) == set()
    return record


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
