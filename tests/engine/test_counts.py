"""How often things are done in a whole run: what costs is done once. Counted, not timed."""

import json
from collections import Counter

import pytest

from harness.cli import main
from harness.models.xvlm.bert import Bert
from harness.models.xvlm.heads import PairNetwork, RetrievalNetwork
from harness.models.xvlm.swin import VisionEncoder
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data


@pytest.fixture
def counts(monkeypatch):
    """How many images were encoded and remembered, and pairs scored."""
    found, encoded = Counter(), []

    def counted(owner, name, count):
        original = getattr(owner, name)

        def counting(self, *given):
            made = original(self, *given)
            found[name] += count(made, *given)
            return made

        monkeypatch.setattr(owner, name, counting)

    def of_images(memory, seen):
        return len(seen) if any(seen is tokens for tokens in encoded) else 0

    counted(VisionEncoder, "forward", lambda tokens, images: encoded.append(tokens) or len(images))
    counted(Bert, "remember", of_images)
    counted(PairNetwork, "remember", of_images)
    counted(RetrievalNetwork, "match", lambda logits, *_: len(logits))
    return found


def predicted(out, name):
    return [json.loads(line) for line in (out / "xvlm-shapes" / f"{name}.predictions.jsonl").read_text().splitlines()[1:]]


@pytest.mark.parametrize(("task", "split"), [("vqav2", "val"), ("refcoco+", "testB"), ("coco-caption", "test"), ("nlvr2", "dev")])
def test_each_distinct_image_is_encoded_once_and_remembered_once(task, split, counts, tmp_path):
    assert main(["run", "--task", task, "--split", split, "--limit", "90", "--out", str(tmp_path), "--batch-size", "16"]) == 0
    samples = find_task(task).load(embedded_data(), split)
    done = {entry["id"] for entry in predicted(tmp_path, f"{task}.{split}.limit-90")}
    images = {image for sample in samples if sample.id in done for image in sample.images}
    assert counts["forward"] == counts["remember"] == len(images)


def test_retrieval_encodes_each_image_once_and_scores_each_pair_once(counts, tmp_path):
    assert main(["run", "--task", "flickr30k-retrieval", "--split", "val", "--limit", "30", "--out", str(tmp_path)]) == 0
    entries = predicted(tmp_path, "flickr30k-retrieval.val.limit-30")
    assert counts["forward"] == len(entries) == 30
    assert counts["match"] == sum(len(set(entry["prediction"]["texts"])) for entry in entries)
