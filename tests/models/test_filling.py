"""Networks are built without numbers and filled by one copy of a file's."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.errors import CheckpointError
from harness.models.filling import fill, unfilled
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.sizes import TextArchitecture
from harness.models.weights import read_tensors
from harness.models.xvlm.architecture import VisionArchitecture
from harness.models.xvlm.swin import VisionEncoder

TEXT = TextArchitecture(
    vocabulary=40, positions=8, width=16, heads=2, layers=2, fusion_layer=1, inner_width=32,
    encoder_width=16,
)  # fmt: skip
VISION = VisionArchitecture(resolution=64, window=2, width=8, depths=(2, 2), heads=(1, 2))


@pytest.mark.parametrize(
    "build", [lambda: VisionEncoder(VISION), lambda: LanguageModel(TEXT)], ids=["swin", "bert"]
)
def test_an_unfilled_network_has_no_numbers_and_draws_none(build: object) -> None:
    before, modules = torch.get_rng_state(), set(sys.modules)
    with unfilled():
        network = build()  # type: ignore[operator]
    assert all(parameter.is_meta for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    assert set(sys.modules) == modules  # torch's decompositions of random draws, for example
    filled = build()  # type: ignore[operator]
    fill(network, filled.state_dict(), path=Path("weights.th"))
    named = dict(filled.named_buffers()) | dict(filled.named_parameters())
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        assert torch.equal(value, named[name]), name


def test_parameters_that_are_one_stay_one_and_take_the_last_of_two_tensors() -> None:
    with unfilled():
        network = LanguageModel(TEXT)
    tensors = LanguageModel(TEXT).state_dict()
    tensors["cls.predictions.decoder.weight"] = torch.full((40, 16), 0.5)
    fill(network, tensors, path=Path("weights.th"))
    head, words = network.cls.predictions, network.bert.embeddings.word_embeddings
    assert head.decoder.weight is words.weight
    assert head.decoder.bias is head.bias
    assert torch.equal(words.weight, torch.full((40, 16), 0.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_filled_network_does_not_change_with_its_file(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "weights.th"
    torch.save({"weight": torch.full((512, 1024), 2.0, dtype=dtype)}, path)
    with unfilled():
        network = nn.Linear(1024, 512, bias=False)
    fill(network, read_tensors(path), path=path)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert network.weight.dtype is torch.float32
    assert bool((network.weight == 2.0).all())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_one_number_that_is_not_finite_is_refused(number: float) -> None:
    weight = torch.zeros(3, 5)
    weight[1, 2] = number
    network = nn.Linear(5, 3, bias=False)
    with pytest.raises(CheckpointError, match="weight hold numbers that are not finite"):
        fill(network, {"weight": weight}, path=Path("weights.th"))
