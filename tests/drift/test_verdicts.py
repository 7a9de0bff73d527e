"""When a change is drift: it is significant over all results, and larger than the margin."""

import numpy as np
import pytest

from harness.drift import verdicts  # pytest would take an imported `Tested` for tests
from harness.drift.judging import Findings, judge_results
from harness.drift.settings import Gate
from harness.drift.verdicts import Cell, Due, Missing, Refused, Verdict, judge
from harness.statistics.interval import Interval
from harness.statistics.means import mean_of
from harness.statistics.paired import Comparison, Flips, Pair, compare
from harness.statistics.swap_tally import Tails

DROP = Comparison(-1.0, Interval(-1.5, -0.5), Flips(60, 20), churn=0.3, unit=0.01)
NARROW = DROP._replace(interval=Interval(-0.09, 0.2))
CERTAIN, UNSURE = Tails(0.001, 1.0), Tails(0.06, 0.95)


def verdict(p=CERTAIN, metric="accuracy", gate=None, **changes):
    """The verdict on a drop."""
    gate = gate or Gate()
    return judge(DROP._replace(**changes), p, gate=gate, margin=gate.margin_of(metric))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "drifted"),
        # Not significant: what the interval says decides.
        ({"p": UNSURE}, "worse, not proven"),
        ({"p": UNSURE, "interval": Interval(-2.0, -0.05)}, "same"),
        ({"p": UNSURE, "interval": Interval(-2.0, 0.0)}, "same"),
        # Certain, and smaller than what rounding hides in print.
        ({"difference": -0.09, "interval": Interval(-0.12, -0.06)}, "same"),
        ({"difference": -0.11, "interval": Interval(-0.14, -0.08)}, "drifted"),
        ({"metric": "cider", "difference": -0.4, "interval": Interval(-0.5, -0.3)}, "same"),
        ({"metric": "cider", "difference": -0.6, "interval": Interval(-0.7, -0.5)}, "drifted"),
        ({"metric": "bleu4", "difference": -0.15, "interval": Interval(-0.2, -0.1)}, "same"),
        (
            {"p": Tails(1.0, 0.001), "difference": 1.0, "interval": Interval(0.5, 1.5)},
            "improved",
        ),
        ({"p": Tails(1.0, 0.001), "difference": 0.09, "interval": Interval(0.06, 0.12)}, "same"),
        ({"flips": Flips(0, 0), "difference": 1e-7}, "identical"),
    ],
)
def test_a_drop_is_drift_where_it_is_certain_and_larger_than_the_margin(changes, expected):
    assert verdict(**changes) == expected


def test_half_of_the_level_is_spent_on_gains_where_that_is_set():
    p = Tails(0.03, 1.0)
    assert verdict(p) == "drifted"
    assert verdict(p, gate=Gate(sides=2)) == "worse, not proven"


def test_level_and_margins_can_be_set():
    assert verdict(Tails(0.001, 1.0), gate=Gate(level=0.0005)) == "worse, not proven"
    assert verdict(UNSURE, gate=Gate(level=0.1)) == "drifted"
    assert verdict(gate=Gate(margin=1.2)) == "same"
    assert verdict(gate=Gate(margins={"acc*": 1.2})) == "same"
    assert verdict(metric="cider", gate=Gate(margin=1.2)) == "drifted"  # it has its own, 0.5
    assert verdict(metric="cider", gate=Gate(margins={"cider": 1.2})) == "same"


def outcomes(worse, better, same):
    before = mean_of([100.0] * worse + [0.0] * better + [100.0] * same)
    return Pair(before, mean_of([0.0] * worse + [100.0] * better + [100.0] * same))


def findings(title, **pairs):
    return Findings(title, [(name, compare(pair)) for name, pair in pairs.items()], pairs)


def judged(*results, gate=None):
    """The verdict on every metric, and that on all results together."""
    gate = gate or Gate()
    judgement = judge_results(results, gate)
    cells = [
        outcome.verdict
        if isinstance(outcome, Due)
        else judge(outcome.comparison, outcome.p, gate=gate, margin=gate.margin_of(metric))
        for result in judgement.results
        for metric, outcome in result
    ]
    return cells, judgement.together


def test_results_in_which_nothing_changed_take_no_part_of_the_level():
    lost = findings("lost", accuracy=outcomes(6, 0, 94))
    unchanged = [findings(str(n), accuracy=outcomes(0, 0, 100)) for n in range(14)]
    assert judged(lost)[0] == ["drifted"]
    assert judged(lost, *unchanged)[0] == ["drifted", *["identical"] * 14]


def test_the_level_is_halved_once_where_a_check_looks_for_gains_too():
    lost = [findings("lost", accuracy=outcomes(number, 0, 94)) for number in (5, 6)]
    # 2 ** -5 is below 0.04 only, 2 ** -6 is below 0.04 / 2 as well.
    assert [judged(result)[0] for result in lost] == [["drifted"]] * 2
    two_sided = [judged(result, gate=Gate(sides=2))[0] for result in lost]
    assert two_sided == [["same"], ["drifted"]]


def test_among_many_results_that_changed_more_evidence_is_required():
    lost = findings("lost", accuracy=outcomes(6, 0, 94))
    restless = [findings(str(n), accuracy=outcomes(6, 6, 88)) for n in range(14)]
    assert judged(lost, *restless[:1])[0][0] == "drifted"  # 2 ** -6 is below 0.04 / 2
    assert judged(lost, *restless)[0][0] == "worse, not proven"
    assert judged(lost, *restless)[1] is None


def test_several_results_that_are_worse_are_more_than_chance_explains():
    lost = [findings(f"lost {n}", accuracy=outcomes(6, 0, 94)) for n in range(3)]
    restless = [findings(str(n), accuracy=outcomes(7, 6, 87)) for n in range(12)]
    gained = [findings(f"+{n}", accuracy=outcomes(3, 9, 88)) for n in range(12)]
    cells, together = judged(*lost, *restless)
    assert cells[:3] == ["worse, not proven"] * 3
    assert together.verdict == "drifted"
    # Where the other results have gained as much, the mean says nothing, and the number of worse
    # ones does.
    cells, together = judged(*lost, *gained)
    assert cells[:3] == ["worse, not proven"] * 3
    assert "3 results are worse, more than chance explains" in together.reason
    assert judged(*lost[:1], *gained)[1] is None


def test_small_drops_of_all_results_are_drift_together():
    small = [findings(str(n), accuracy=outcomes(5, 1, 94)) for n in range(10)]
    cells, together = judged(*small)
    assert set(cells) == {"same"}
    assert "metrics of 10 results dropped beyond their margins" in together.reason
    assert judged(*small[:2])[1] is None  # 10 lost, 2 gained: p 0.02


def test_the_verdict_does_not_depend_on_the_order_of_results():
    draws = np.random.Generator(np.random.PCG64(4))
    results = [findings(str(n), accuracy=outcomes(*draws.integers(0, 20, 2), 60)) for n in range(9)]
    cells, _ = judged(*results)
    assert judged(*results[::-1])[0] == cells[::-1]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Refused("no data"), ("not comparable", True, "no data", -0.5, None, None, None)),
        (Missing(), ("missing", True, "has a baseline and no result", -0.5, None, None, None)),
        (Due(Verdict.DRIFTED, "digits"), ("drifted", True, "digits", -0.5, None, None, None)),
        (Due(Verdict.IDENTICAL, "", DROP), ("identical", False, "", -1.0, None, (60, 20), False)),
        (
            verdicts.Tested(DROP, Tails(0.02, 1.0), 0.05),
            ("drifted", True, "", -1.0, 0.02, (60, 20), False),
        ),
        (
            verdicts.Tested(DROP, Tails(0.06, 1.0), 0.05),
            ("worse, not proven", False, "", -1.0, 0.06, (60, 20), False),
        ),
        (
            verdicts.Tested(NARROW, Tails(0.5, 0.5), 0.05),
            ("same", False, "", -1.0, 0.5, (60, 20), True),
        ),
    ],
)
def test_a_cell_says_what_its_outcome_tells(outcome, expected):
    cell = Cell("c", "t", "s", "accuracy", 80.0, 79.5, outcome, Gate())
    flips = cell.comparison.flips if cell.comparison else None
    assert expected == (
        cell.verdict, cell.failing, cell.reason, cell.difference, cell.p, flips, cell.no_worse,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gate", "comparison", "failing"),
    [
        (Gate(), DROP, False),
        (Gate(fail_on_worse="any"), DROP, True),
        (Gate(require="no-worse"), DROP, True),
        (Gate(require="no-worse"), DROP._replace(interval=Interval(-0.5, 0.5)), True),
        (Gate(require="no-worse"), NARROW, False),
    ],
)
def test_what_fails_beside_drift_can_be_set(gate, comparison, failing):
    outcome = verdicts.Tested(comparison, Tails(0.3, 0.7), 0.05)
    assert Cell("c", "t", "s", "accuracy", 80.0, 79.0, outcome, gate).failing == failing


def test_a_missing_result_may_be_allowed():
    cell = Cell("c", "t", "s", "", None, None, Missing(), Gate(allow_missing=True))
    assert not cell.failing


def test_a_metric_that_one_side_lacks_has_no_difference():
    assert Cell("c", "t", "s", "m", None, 79.5, Refused("new"), Gate()).difference is None
