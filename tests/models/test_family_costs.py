"""The estimated operations of ALBEF and BLIP, against those that torch counts."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    Gallery,
    Localizer,
    PairReasoner,
    PairScorer,
)
from harness.checkpoints import Weights
from harness.engine import two_stage_retrieval
from harness.engine.matmul import plain_attention
from harness.models.fusion import layers, runtime
from harness.models.vit import encoder
from harness.registry import load_model
from harness.workload import CostModel, Workload
from tests.support.random_weights import network, write_vocabulary

TEXTS = ["two cats", "one dog or", "grass one"]  # eight letters each
ANSWERS = ["ab", "cd", "ef"]
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
ABOUT = np.array([0, 1, 0])


def retrieve(model):
    gallery = Gallery([([0, 1], IMAGES, np.arange(2))], lambda value: [value])
    return list(two_stage_retrieval.retrieve(model, gallery, TEXTS, shortlist=3, wanted=range(2)))


CALLS = {
    PairScorer: (retrieve, Workload(2, 2, 6, 6, TEXTS)),
    AttributeMatcher: (
        lambda model: model.similarity(IMAGES, TEXTS),
        Workload(2, 2, 6, 6, TEXTS),
    ),
    PairReasoner: (
        lambda model: model.judge(IMAGES, TEXTS, np.array([[0, 1]] * 3)),
        Workload(3, 2, 3, 3, TEXTS),
    ),
    Localizer: (
        lambda model: model.localize(IMAGES, TEXTS, ABOUT),
        Workload(3, 2, 3, 3, TEXTS),
    ),
    Captioner: (lambda model: model.caption(IMAGES), Workload(2, 2, 2, 2)),
    Answerer: (
        lambda model: model.answer(IMAGES, TEXTS, ABOUT, answers=ANSWERS, shortlist=3),
        Workload(3, 2, 3, 3, TEXTS, ANSWERS, 3),
    ),
}


@pytest.fixture
def model(request, tmp_path, monkeypatch):
    """A model in plain operations: torch counts neither prepacked products nor fused attention."""
    family, head, needs, *arguments = request.param
    monkeypatch.setattr(runtime, "prepack", lambda part, dtype, **options: None)
    for module in (layers, encoder):
        monkeypatch.setattr(
            module,
            "scaled_dot_product_attention",
            lambda query, key, value, attn_mask=None: plain_attention(query, key, value, attn_mask),
        )
    torch.save(network(family, head).state_dict(), tmp_path / "own.pth")
    vocabulary = write_vocabulary(tmp_path / "v.txt")
    weights = Weights("own", family, tmp_path / "own.pth", vocabulary, arguments=dict(arguments))
    return load_model(weights, needs=[needs], device="cpu", dtype="float32"), needs


@pytest.mark.parametrize(
    "model",
    [
        ("albef", "retrieval", PairScorer),
        ("blip", "retrieval", PairScorer),
        ("albef", "retrieval", AttributeMatcher),
        ("blip", "retrieval", AttributeMatcher),
        ("albef", "nlvr", PairReasoner),
        ("blip", "nlvr", PairReasoner),
        ("albef", "vqa", Answerer),
        ("blip", "vqa", Answerer),
        ("blip", "captioning", Captioner),
        ("albef", "retrieval", Localizer),
        ("albef", "retrieval", Localizer, ("gradcam", "itc"), ("block", "0")),
        ("albef", "retrieval", Localizer, ("gradcam", "itc"), ("block", "1")),
    ],
    indirect=True,
)
def test_the_estimate_is_close_to_what_is_computed(model):
    model, needs = model
    call, workload = CALLS[needs]
    assert isinstance(model, CostModel)
    with FlopCounterMode(display=False) as counter:
        call(model)
    ratio = model.cost(workload).flops / counter.get_total_flops()
    assert 0.9 < ratio < 1.1
