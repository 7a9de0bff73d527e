"""Agreement of results, the turns of a comparison, and the peak memory of a call."""

import pytest
import torch

from harness.bench.agreement import compare_decisions, compare_numbers, compare_rankings
from harness.bench.comparison import Comparison, run_comparison
from harness.bench.profiling import peak_memory
from harness.engine.device import choose_device

CPU = choose_device("cpu", "float32")
NOT_LISTED = -torch.inf


def test_numbers_agree_within_a_ten_thousandth():
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert compare_numbers(expected + 5e-5, expected).agree
    assert not compare_numbers(expected + 2e-4, expected).agree
    one_off = compare_numbers(expected + torch.tensor([[0.0, 0.0], [0.0, 0.5]]), expected)
    assert (one_off.largest, one_off.rms) == (0.5, 0.25)


def test_rankings_agree_if_only_scores_within_rounding_swap_ranks():
    expected = torch.tensor([[0.5, 0.2, 0.200001]])
    assert compare_rankings(torch.tensor([[0.5, 0.200002, 0.200001]]), expected).alike
    assert not compare_rankings(torch.tensor([[0.19, 0.2, 0.200001]]), expected).alike


def test_rankings_report_their_noise_and_the_shift_of_items():
    expected = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    agreement = compare_rankings(torch.tensor([[1.0, 2.0, 4.0, 3.0]]), expected)
    assert agreement.shift == 0.5  # two of four items moved by one rank
    assert agreement.noise == pytest.approx(0.5**0.5 / 1.25**0.5)


def test_only_listed_items_are_ranked_and_all_of_them_are_required():
    expected = torch.tensor([[1.0, NOT_LISTED, 3.0]])
    assert compare_rankings(torch.tensor([[1.0, 9.0, 3.0]]), expected).agree
    assert not compare_rankings(torch.tensor([[NOT_LISTED, 9.0, 3.0]]), expected).alike


def test_different_decisions_disagree_however_close_the_scores():
    scores = torch.tensor([0.5, 0.5])
    assert compare_decisions([1, 2], [1, 2], scores=scores, expected_scores=scores).agree
    assert not compare_decisions([1, 2], [2, 1], scores=scores, expected_scores=scores).agree


def test_sides_take_turns_after_a_warm_up():
    turns = []

    def side(name):
        def call():
            turns.append(name)
            return torch.zeros(1)

        return call

    run_comparison(Comparison(side("engine"), side("literal"), compare_numbers), CPU, repeat=2)
    assert turns[-6:-2] == ["engine", "literal", "engine", "literal"]
    assert turns[-2:] == ["engine", "engine"]  # as often again, for its matrix products
    assert turns[:2] == ["literal", "engine"]


def test_the_peak_of_a_call_is_its_largest_allocation():
    def call():
        for _ in range(3):
            torch.ones(16 * 2**20)  # 64 MiB, three times, one after the other

    peak = peak_memory(call, CPU)
    if peak is None:
        pytest.skip("this system does not report peak memory")
    assert 60 * 2**20 < peak < 100 * 2**20
