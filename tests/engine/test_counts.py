"""How often things are done in a whole run: what costs is done once. Counted, not timed."""

import json
from collections import Counter

import pytest

from harness.cli.main import main
from harness.models.fusion.bert import Bert
from harness.models.fusion.layers import AddAndNorm
from harness.models.xvlm.heads import PairNetwork, RetrievalNetwork
from harness.models.xvlm.swin import VisionEncoder
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data


def count(monkeypatch, owner, name, counter, tally):
    """Let every call of a method add to a counter: `tally` returns under which name, and how much, of object, result and arguments."""
    original = getattr(owner, name)

    def counting(self, *given):
        made = original(self, *given)
        key, number = tally(self, made, *given)
        counter[key] += number
        return made

    monkeypatch.setattr(owner, name, counting)


@pytest.fixture
def counts(monkeypatch):
    """How many images were encoded and remembered, and pairs scored."""
    found, encoded = Counter(), []

    def encoding(network, tokens, images):
        encoded.append(tokens)
        return "encoded", len(images)

    def remembering(network, memory, seen):
        return "remembered", len(seen) if any(seen is tokens for tokens in encoded) else 0

    count(monkeypatch, VisionEncoder, "forward", found, encoding)
    count(monkeypatch, Bert, "project_kv", found, remembering)
    count(monkeypatch, PairNetwork, "project_kv", found, remembering)
    count(
        monkeypatch,
        RetrievalNetwork,
        "match",
        found,
        lambda network, logits, *_: ("scored", len(logits)),
    )
    return found


def predicted(out, name):
    return [
        json.loads(line)
        for line in (out / "xvlm-shapes" / f"{name}.predictions.jsonl").read_text().splitlines()[1:]
    ]


@pytest.mark.parametrize(
    ("task", "split"),
    [("vqav2", "val"), ("refcoco+", "testB"), ("coco-caption", "test"), ("nlvr2", "dev")],
)
def test_each_distinct_image_is_encoded_once_and_remembered_once(task, split, counts, tmp_path):
    assert (
        main(
            [
                "run",
                "--task",
                task,
                "--split",
                split,
                "--limit",
                "90",
                "--out",
                str(tmp_path),
                "--batch-size",
                "16",
            ]
        )
        == 0
    )
    samples = find_task(task).load(embedded_data(), split)
    done = {entry["id"] for entry in predicted(tmp_path, f"{task}.{split}.limit-90")}
    images = {image for sample in samples if sample.id in done for image in sample.images}
    assert counts["encoded"] == counts["remembered"] == len(images)


def test_retrieval_encodes_each_image_once_and_scores_each_pair_once(counts, tmp_path):
    assert (
        main(
            [
                "run",
                "--task",
                "flickr30k-retrieval",
                "--split",
                "val",
                "--limit",
                "30",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    entries = predicted(tmp_path, "flickr30k-retrieval.val.limit-30")
    assert counts["encoded"] == len(entries) == 30
    assert counts["scored"] == sum(len(set(entry["prediction"]["texts"])) for entry in entries)


@pytest.mark.parametrize(
    ("task", "split"), [("flickr30k-retrieval", "val"), ("refcoco+", "testB"), ("nlvr2", "dev")]
)
def test_of_each_reader_only_the_first_token_goes_through_the_last_layer(
    task, split, monkeypatch, tmp_path
):
    tokens, readers = Counter(), Counter()

    def of_each(part, states, *_):
        return part, states.shape[:-1].numel()

    count(monkeypatch, AddAndNorm, "forward", tokens, of_each)
    count(monkeypatch, Bert, "fuse_cls", readers, of_each)
    count(monkeypatch, Bert, "fuse_cls_packed", readers, of_each)
    assert (
        main(["run", "--task", task, "--split", split, "--limit", "30", "--out", str(tmp_path)])
        == 0
    )
    (bert,) = readers
    before, last = bert.fusion_layers[-2:]
    for part in (last.attention.output, last.crossattention.output, last.output):
        assert tokens[part] == readers[bert] > 0
    assert tokens[before.output] > 3 * readers[bert]
