"""Beam search in buffers of fixed shapes finds what it finds without, captured or not."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from harness.engine import step_graphs
from harness.engine.beam_search import Beams
from harness.engine.device import choose_device
from harness.engine.step_graphs import STEP_GRAPHS, PlainSteps, StepGraphs
from harness.errors import UsageError
from harness.models.fusion import static_decoder
from harness.models.fusion.captioning import generate_captions
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.sizes import TextArchitecture
from harness.models.fusion.static_decoder import StaticDecoding
from tests.support.kernel_trials import gpu

__all__ = ["gpu"]  # a fixture
PROMPT, END = [1, 5, 7], 2
BEAMS = Beams(width=3, max_length=12, min_length=5)
IMAGES = 17


class Replayed:
    """A step that can be run again, as a graph can be replayed."""

    def __init__(self, step, other):
        self.replay, self.other, self.count = step, other, 0

    def pool(self):
        return None


@pytest.fixture(scope="module")
def decoder():
    sizes = TextArchitecture(
        vocabulary=40, positions=16, layers=4, fusion_layer=2, width=16, heads=2,
        inner_width=32, encoder_width=12,
    )  # fmt: skip
    torch.manual_seed(0)
    network = LanguageModel(sizes).eval().requires_grad_(False)
    for weight in network.parameters():
        if weight.dim() == 2:
            weight.normal_(0, 0.3)
    network.cls.predictions.decoder.bias[END] = 3.0  # texts end, at different lengths
    return network


def images(count, seed=0):
    return torch.randn(count, 6, 12, generator=torch.Generator().manual_seed(seed))


def generate(decoder, tokens, static=None, beams=BEAMS):
    with torch.inference_mode():
        return generate_captions(
            decoder, tokens, prompt=PROMPT, end=END, beams=beams, static=static
        )


def alike(found, expected):
    """The same tokens; scores but for the last digits, which depend on what shares a product."""
    assert [text.tokens for text in found] == [text.tokens for text in expected]
    scores = [[text.score for text in texts] for texts in (found, expected)]
    return torch.allclose(*map(torch.tensor, scores), rtol=0, atol=1e-5)


def test_texts_of_this_test_end_at_different_lengths(decoder):
    lengths = {len(text.tokens) for text in generate(decoder, images(IMAGES))}
    assert len(lengths) > 3 and max(lengths) == BEAMS.max_length


@pytest.mark.parametrize("penalty", [1.0, 1.3], ids=["plain", "repetition penalty"])
@pytest.mark.parametrize("width", [1, 3])
def test_buffers_change_nothing(decoder, width, penalty):
    beams = replace(BEAMS, width=width, repetition_penalty=penalty)
    static = StaticDecoding(decoder, PlainSteps())
    for count, seed in ((IMAGES, 0), (IMAGES, 1), (12, 2), (1, 3), (30, 4)):
        tokens = images(count, seed)
        assert alike(
            generate(decoder, tokens, static, beams), generate(decoder, tokens, beams=beams)
        )


def test_a_step_is_captured_the_second_time_and_replayed_from_then_on(decoder):
    captured, replayed = [], []

    def capture(step, other):
        captured.append(Replayed(step, other))
        return captured[-1]

    class Counting(StepGraphs):
        def run(self, key, step):
            before = len(captured)
            super().run(key, step)
            replayed.append(key if len(captured) == before else None)

    static = StaticDecoding(decoder, Counting(capture))
    first, second = images(IMAGES), images(IMAGES, 1)
    for tokens in (first, first, second, first):
        assert alike(generate(decoder, tokens, static), generate(decoder, tokens))
    assert len(captured) >= BEAMS.max_length - len(PROMPT) - 1  # one for each length
    assert len(captured) < len(replayed) / 2
    assert captured[0].other is None and captured[1].other is captured[0]


def test_images_that_are_done_leave_at_the_borders_of_buckets(decoder):
    keys = []

    class Noting(PlainSteps):
        def run(self, key, step):
            keys.append(key)
            step()

    generate(decoder, images(IMAGES), StaticDecoding(decoder, Noting()))
    buckets, lengths = zip(*keys, strict=True)
    assert list(lengths) == list(range(4, 4 + len(keys)))
    assert buckets[0] == IMAGES and set(buckets) <= {3, 6, 9, 12, 15, 17}  # eighths, rounded up
    assert list(buckets) == sorted(buckets, reverse=True) and len(set(buckets)) > 2


def test_other_images_get_other_buffers_and_forget_what_was_captured(decoder):
    forgotten = []

    class Noting(PlainSteps):
        def forget(self):
            forgotten.append(True)

    static = StaticDecoding(decoder, Noting())
    for count in (8, 5):  # fewer images fit
        generate(decoder, images(count), static)
    assert len(forgotten) == 1
    for count in (4, 9):  # less than half, more than there is room for
        generate(decoder, images(count), static)
    assert len(forgotten) == 3
    assert alike(generate(decoder, images(9)[:, :4], static), generate(decoder, images(9)[:, :4]))
    assert len(forgotten) == 4


def test_after_a_capture_that_fails_steps_are_run_one_by_one_and_one_line_says_so(decoder):
    attempts = []

    def fail(step, other):
        attempts.append(step)
        raise RuntimeError("operation not permitted when stream is capturing\nand more lines")

    static = StaticDecoding(decoder, StepGraphs(fail))
    expected = generate(decoder, images(IMAGES))
    assert alike(generate(decoder, images(IMAGES), static), expected)
    with pytest.warns(
        UserWarning, match=r"^no step graphs, steps are started one by one: .*capturing$"
    ) as caught:
        assert alike(generate(decoder, images(IMAGES), static), expected)
        assert alike(generate(decoder, images(IMAGES), static), expected)
    assert len(caught) == len(attempts) == 1


def test_without_memory_for_buffers_captions_are_generated_as_before(decoder, monkeypatch):
    class OutOfMemoryError(RuntimeError):
        pass

    def full(*_, **__):
        raise OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(static_decoder, "Buffers", full)
    static = StaticDecoding(decoder, PlainSteps())
    expected = generate(decoder, images(4))
    with pytest.warns(UserWarning, match=r"^no step graphs: the buffers .* do not fit") as caught:
        assert alike(generate(decoder, images(4), static), expected)
        assert alike(generate(decoder, images(4), static), expected)
    assert len(caught) == 1


def test_steps_are_replayed_only_where_it_is_asked_for_and_on_a_gpu(gpu, monkeypatch):
    assert not choose_device("cuda", "float32").step_graphs
    monkeypatch.setenv(STEP_GRAPHS, "1")
    assert choose_device("cuda", "float32").name == "cuda (H100, step graphs)"
    assert not choose_device("cpu", "float32").step_graphs
    monkeypatch.setenv(STEP_GRAPHS, "yes")
    with pytest.raises(UsageError, match=f"{STEP_GRAPHS}=yes: expected 0 or 1"):
        choose_device("cpu", "float32")


def test_a_step_takes_nothing_back_to_the_host(decoder):
    """On tensors without data, whatever reads a number or mixes devices fails."""
    network = deepcopy(decoder).to("meta")
    with torch.inference_mode():
        kv = network.bert.project_kv(images(5).to("meta"))
        prompt = torch.tensor(PROMPT, device="meta").expand(5, 1, -1)
        past = network.bert.decode(prompt, kv).past
        buffers = static_decoder.Buffers(kv, 3, BEAMS.max_length, vocabulary=40)
        buffers.fill(kv, past)
        static_decoder._compute(network, buffers, 4, len(PROMPT) + 1)
        with pytest.raises(RuntimeError, match="meta"):  # as this would
            buffers.output[0, 0, 0].item()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_replays_captured_steps(decoder):
    network = decoder.to("cuda")
    try:
        static, tokens = StaticDecoding(network, StepGraphs()), images(IMAGES).cuda()
        expected = generate(network, tokens)
        for _ in range(3):
            assert alike(generate(network, tokens, static), expected)
        graphs = [graph for graph in static._steps._graphs.values() if graph is not None]
        assert graphs and static._steps._usable
    finally:
        decoder.to("cpu")
    assert step_graphs.choose_step_graphs(torch.device("cpu")) is False
