"""Batches are handed out once each, whatever the order of the processes, and slow ones relieved."""

import random

import numpy as np
import pytest
from PIL import Image

from harness.running.loader import load_batches
from harness.running.processes.claims import Claims
from harness.running.processes.distributed import SingleProcess, deal
from harness.running.supply import BatchSupply
from harness.task import Sample
from tests.support.threads import Shared, Threads, in_threads


def claims_of(items, size):
    """The claims of every process of a group."""
    shared = Shared(size)
    return [Claims(deal(items, size), Threads(rank, shared), "run") for rank in range(size)]


def test_a_process_alone_claims_its_items_in_order():
    (alone,) = claims_of("abc", 1)
    assert [alone.claim_own() for _ in range(4)] == ["a", "b", "c", None]
    assert alone.take_over() is None


def test_owners_claim_from_the_first_and_others_from_the_last_of_whoever_has_most_left():
    first, second, third = claims_of("abcdefgh", 3)  # adg, beh, cf
    assert [third.claim_own() for _ in range(3)] == ["c", "f", None]
    assert first.claim_own() == "a"
    assert [third.take_over() for _ in range(4)] == ["h", "g", "e", "d"]
    assert first.available == 3  # not asked since
    assert first.claim_own() is None
    assert (first.claimed, first.available) == (1, 1)
    assert first.take_over(leaving=1) is None  # one is left to the second
    assert second.claim_own() == "b"
    assert second.available == 1
    assert [process.take_over() for process in (first, second, third)] == [None] * 3
    assert third.taken_over == ["h", "g", "e", "d"]


@pytest.mark.parametrize("seed", range(20))
def test_every_item_is_claimed_once_in_whatever_order_processes_ask(seed):
    draws, size = random.Random(seed), seed % 5 + 1
    waiting, claimed = claims_of(range(37), size), []
    while waiting:
        process = draws.choice(waiting)
        item = process.claim_own() if draws.random() < 0.8 else None
        item = process.take_over() if item is None else item
        if item is not None:
            claimed.append(item)
        elif process.claimed == process.available:
            waiting.remove(process)
    assert sorted(claimed) == list(range(37))


def test_threads_that_claim_at_once_never_claim_the_same_item():
    claimed = [[] for _ in range(4)]

    def work(group):
        own = Claims(deal(range(2_000), 4), group, "run")
        while (item := own.claim_own()) is not None:
            claimed[group.rank].append(item)
        while (item := own.take_over()) is not None:
            claimed[group.rank].append(item)

    in_threads(4, work)
    assert sorted(item for items in claimed for item in items) == list(range(2_000))


@pytest.mark.parametrize(
    ("seconds", "computed"),
    [
        ([1, 1, 1, 1], [10, 10, 10, 10]),  # equal processes keep to their own
        ([3, 1, 1, 1], [4, 12, 12, 12]),
        ([2, 2, 1, 1], [7, 7, 13, 13]),
        ([60, 1, 1, 1], [1, 13, 13, 13]),
    ],
)
def test_the_slower_a_process_the_fewer_batches_it_computes(seconds, computed):
    """Forty batches of one cost, by a clock of the test's own."""
    processes, free = claims_of(range(40), 4), [0.0] * 4
    counts = [0] * 4
    while min(free) < float("inf"):
        rank = free.index(min(free))
        item = processes[rank].claim_own()
        item = processes[rank].take_over() if item is None else item
        counts[rank] += item is not None
        free[rank] += seconds[rank] if item is not None else float("inf")
    assert counts == computed


@pytest.fixture
def batches(tmp_path):
    """Eight batches of two samples about one image each; images' colours are their numbers."""
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        Image.new("RGB", (2, 2), (number, 0, 0)).save(path)
    return [[Sample(2 * n, (path,)), Sample(2 * n + 1, (path,))] for n, path in enumerate(paths)]


def loaded(supply):
    return load_batches(supply, np.array, workers=1, take=supply.take)


def lacking(sample):
    return True


def test_a_supply_drops_what_was_decoded_ahead_and_taken_over_by_another(batches):
    first, second = claims_of(batches, 2)
    slow = loaded(BatchSupply(first, None, lacking))
    taken = [next(slow).samples[0].id]  # 0; batches 2 and 4 are decoded ahead
    fast = [batch.samples[0].id for batch in loaded(BatchSupply(second, None, lacking))]
    assert taken + [batch.samples[0].id for batch in slow] == [0]
    assert fast == [2, 6, 10, 14, 12, 8, 4]


def test_the_last_batch_of_another_is_not_claimed_before_the_model_is_ready(batches):
    first, second = claims_of(batches[:4], 2)  # 0 and 4, 2 and 6
    assert first.claim_own() is not None
    fast = loaded(BatchSupply(second, None, lacking))
    assert [next(fast).samples[0].id for _ in range(2)] == [2, 6]
    assert first.claim_own() is not None
    assert list(fast) == []


def test_a_process_keeps_the_first_batch_of_which_it_is_about_to_hold_the_tokens(batches):
    first, second = claims_of(batches[:1], 2)
    owner, idle = (BatchSupply(claims, None, lacking) for claims in (first, second))
    owner.claim_first()
    idle.claim_first()  # it has none
    assert next(idle.others(), "no batch") == "no batch"
    assert owner.claim(batches[0][0])


def test_a_supply_of_smaller_pieces_begins_with_what_was_claimed_before(batches):
    first, second = claims_of(batches[:4], 2)
    assert [second.claim_own()[0].id for _ in range(2)] == [2, 6]
    whole = loaded(BatchSupply(second, None, lacking))
    next(whole)  # memory is full in it
    whole.close()
    assert second.take_over()[0].id == 4
    pieces = loaded(BatchSupply(second, 1, lambda sample: sample.id != 6))
    assert [[sample.id for sample in batch.samples] for batch in pieces] == [
        [2],
        [3],
        [7],
        [4],
        [5],
        [0],
        [1],
    ]
    assert first.claim_own() is None


def test_a_process_alone_looks_for_no_other(batches):
    class Alone(SingleProcess):
        def count(self, name, more):
            assert more
            return super().count(name, more)

    supply = BatchSupply(Claims([batches], Alone(), "run"), None, lacking)
    assert [batch.samples[0].id for batch in loaded(supply)] == [0, 2, 4, 6, 8, 10, 12, 14]
