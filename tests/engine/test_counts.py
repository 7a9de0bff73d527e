"""What costs much is done once in a whole run. Counted, not timed."""

import json
from collections import Counter

import pytest

from harness.cli.main import main
from harness.models.fusion.bert import Bert
from harness.models.fusion.layers import Output
from harness.models.fusion.runtime import Runtime
from harness.models.xvlm.heads import PairNetwork, RetrievalNetwork
from harness.models.xvlm.swin import VisionEncoder
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data


def count(monkeypatch, owner, name, counter, tally):
    """Count the calls of a method: `tally` maps object, result and arguments to (key, number)."""
    original = getattr(owner, name)

    def counting(self, *args):
        result = original(self, *args)
        key, number = tally(self, result, *args)
        counter[key] += number
        return result

    monkeypatch.setattr(owner, name, counting)


@pytest.fixture
def counts(monkeypatch):
    """The number of images encoded and projected to keys and values, and of pairs scored."""
    counter, encoded = Counter(), []

    def encode(runtime, tokens, images):
        encoded.append(tokens)
        return "batches", 1

    def project(owner, kv, tokens, *_):
        return "projected", len(tokens) if any(tokens is images for images in encoded) else 0

    count(monkeypatch, VisionEncoder, "forward", counter, lambda *call: ("encoded", len(call[2])))
    count(monkeypatch, RetrievalNetwork, "match", counter, lambda *call: ("scored", len(call[1])))
    count(monkeypatch, Runtime, "encode_images", counter, encode)
    count(monkeypatch, Bert, "project_kv", counter, project)
    count(monkeypatch, PairNetwork, "project_kv", counter, project)
    return counter


def run(task, split, limit, out, *options):
    named = ["--task", task, "--split", split, "--limit", str(limit), "--out", str(out)]
    assert main(["run", *named, *options]) == 0


def predictions(out, name):
    lines = (out / "xvlm-shapes" / f"{name}.predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


@pytest.mark.parametrize(
    ("task", "split", "limit"),
    [
        ("vqav2", "val", 90),
        ("refcoco+", "testB", 90),
        ("coco-caption", "test", 20),  # images, one for each caption; in two batches
        ("nlvr2", "dev", 90),
    ],
)
def test_each_distinct_image_is_encoded_once_and_projected_once(
    task, split, limit, counts, tmp_path
):
    run(task, split, limit, tmp_path, "--batch-size", "16")
    samples = find_task(task).load(embedded_data(), split)
    done = {entry["id"] for entry in predictions(tmp_path, f"{task}.{split}.limit-{limit}")}
    images = {image for sample in samples if sample.id in done for image in sample.images}
    assert counts["encoded"] == counts["projected"] == len(images)


def test_retrieval_encodes_each_image_once_and_scores_each_pair_once(counts, tmp_path):
    run("flickr30k-retrieval", "val", 30, tmp_path)
    entries = predictions(tmp_path, "flickr30k-retrieval.val.limit-30")
    assert counts["encoded"] == len(entries) == 30
    assert counts["scored"] == sum(len(set(entry["prediction"]["texts"])) for entry in entries)


@pytest.mark.parametrize(
    ("task", "split"), [("flickr30k-retrieval", "val"), ("refcoco+", "testB"), ("nlvr2", "dev")]
)
def test_only_the_cls_token_of_a_text_goes_through_the_last_layer(
    task, split, monkeypatch, tmp_path
):
    tokens, texts = Counter(), Counter()
    count(monkeypatch, Output, "forward", tokens, lambda part, states, *_: (part, len(states)))
    count(monkeypatch, Bert, "fuse_cls", texts, lambda bert, states, *_: (bert, len(states)))
    run(task, split, 30, tmp_path)
    (bert,) = texts
    before, last = bert.fusion_layers[-2:]
    for part in (last.attention.output, last.crossattention.output, last.output):
        assert tokens[part] == texts[bert] > 0
    assert tokens[before.output] > 3 * texts[bert]
