"""What a contest says of two results, and of the memory that one took."""

import pytest
import torch

from harness.bench.contest import Contest, decisions, hold, numbers, rankings
from harness.bench.memory import peak_of
from harness.engine.device import choose_device

CPU = choose_device("cpu", "float32")
NOT_LISTED = -torch.inf


def test_numbers_agree_within_a_ten_thousandth():
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert numbers(expected + 5e-5, expected).holds
    assert not numbers(expected + 2e-4, expected).holds
    assert numbers(expected + torch.tensor([[0.0, 0.0], [0.0, 0.5]]), expected).largest == 0.5
    assert numbers(expected + torch.tensor([[0.0, 0.0], [0.0, 0.5]]), expected).rms == 0.25


def test_rankings_agree_where_only_what_rounding_cannot_tell_apart_has_changed_places():
    expected = torch.tensor([[0.5, 0.2, 0.200001]])
    assert rankings(torch.tensor([[0.5, 0.200002, 0.200001]]), expected).alike
    assert not rankings(torch.tensor([[0.19, 0.2, 0.200001]]), expected).alike


def test_a_ranking_tells_how_noisy_it_is_and_how_far_items_moved():
    expected = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    found = rankings(torch.tensor([[1.0, 2.0, 4.0, 3.0]]), expected)
    assert found.shift == 0.5  # two of four moved by one place
    assert found.noise == pytest.approx(0.5**0.5 / 1.25**0.5)


def test_what_is_not_listed_ranks_nowhere_and_what_is_must_be_there():
    expected = torch.tensor([[1.0, NOT_LISTED, 3.0]])
    assert rankings(torch.tensor([[1.0, 9.0, 3.0]]), expected).holds
    assert not rankings(torch.tensor([[NOT_LISTED, 9.0, 3.0]]), expected).alike


def test_another_decision_is_no_agreement_however_near_the_scores_are():
    scores = torch.tensor([0.5, 0.5])
    assert decisions([1, 2], [1, 2], scores=scores, expected_scores=scores).holds
    assert not decisions([1, 2], [2, 1], scores=scores, expected_scores=scores).holds


def test_sides_take_turns_after_a_warm_up_and_the_median_counts():
    turns = []

    def side(name):
        def call():
            turns.append(name)
            return torch.zeros(1)

        return call

    hold(Contest(side("engine"), side("literal"), numbers), CPU, repeat=2)
    assert turns[-4:] == ["engine", "literal", "engine", "literal"]
    assert turns[:2] == ["literal", "engine"]


def test_the_peak_of_a_call_is_what_it_held_at_most():
    def call():
        for _ in range(3):
            torch.ones(16 * 2**20)  # 64 MiB, three times, one after the other

    peak = peak_of(call, CPU)
    if peak is None:
        pytest.skip("this system does not tell")
    assert 60 * 2**20 < peak < 100 * 2**20
