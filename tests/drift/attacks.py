"""Pairs of results that try to mislead the gate, and the verdict that each one has to end in.

The table in `docs/error-rates.md` has one row for each; `python -m tests.drift.attacks` prints it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.drift.changes import (
    Change,
    alter,
    blur_attributes,
    flip,
    invert,
    lose_clusters,
    lose_one_gain_other,
    lose_queries,
    swap_captions,
    trade_parts,
)
from tests.support.altered import CHECKPOINT, edit_record

SHARES = ("refcoco+.val", "refcoco+.testA", "refcoco+.testB", "nlvr2.dev", "nlvr2.test")
RETRIEVAL = ("coco-retrieval.val", "coco-retrieval.test",
             "flickr30k-retrieval.val", "flickr30k-retrieval.test")  # fmt: skip
TESTED = (*SHARES, *RETRIEVAL)


@dataclass(frozen=True)
class Attack:
    """One row of the table.

    `changes` alter the results by stem; other results stay those of the baseline. `flags` are those
    of `check`. `cell` is the first failing cell, or the cell that the attack is about, and
    `verdict` the verdict on it. `same_weights`: only a package differs, else the weights do too.
    """

    title: str
    changes: Mapping[str, Change]
    cell: str
    verdict: str
    code: int
    flags: Sequence[str] = ()
    same_weights: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)  # gate.yaml of the baseline


def prepare(baseline: Path, results: Path, attack: Attack) -> None:
    """Alter copies of the baseline: the side before ran elsewhere, so that metrics are tested."""
    for path in sorted((baseline / CHECKPOINT).glob("*.json")):
        changes: dict[str, Any] = {"software": {"torch": "9.9.9"}}
        if not attack.same_weights:
            changes["checkpoint"] = {"sha256": "0" * 64}
        edit_record(baseline, path.name.removesuffix(".json"), **changes)
    if attack.settings:
        (baseline / "gate.yaml").write_text(json.dumps(attack.settings))
    for stem, change in attack.changes.items():
        alter(results, stem, change)


DRIFTED, WORSE, SAME, IMPROVED = "drifted", "worse, not proven", "same", "improved"
TOGETHER = "all results together"
LOSE_TEN = {stem: lose_queries(10) for stem in RETRIEVAL} | {stem: flip(10) for stem in SHARES}
LOSE_THREE = {stem: lose_queries(3) for stem in RETRIEVAL} | {stem: flip(3) for stem in SHARES}
NOISE = {
    "nlvr2.dev": flip(4, 4),
    "nlvr2.test": flip(6, 5),
    "refcoco+.val": flip(5, 4),
    "refcoco+.testA": flip(2, 1),
    "refcoco+.testB": flip(1, 1),
    "coco-retrieval.test": lose_queries(5, 5, rank=1),
    "flickr30k-retrieval.test": lose_queries(3, 3, rank=1),
    "coco-retrieval.val": lose_queries(3, 2, side="t2i", rank=1),
    "flickr30k-retrieval.val": lose_queries(3, 3, side="t2i", rank=1),
}
WORSE_AND_BETTER = {
    "nlvr2.test": flip(6),
    "coco-retrieval.test": lose_queries(6, rank=1),
    "flickr30k-retrieval.test": lose_queries(6, rank=1),
    "nlvr2.dev": flip(0, 8),
    "refcoco+.val": flip(0, 7),
    "coco-retrieval.val": lose_queries(0, 3, side="t2i"),
    "flickr30k-retrieval.val": lose_queries(0, 4, side="t2i"),
}
# fmt: off
ATTACKS = (
    # Large drops.
    Attack(
        "RefCOCO+ testB loses 10 of 90 images whole, 17 points",
        {"refcoco+.testB": lose_clusters(10)}, "refcoco+ testB accuracy", DRIFTED, 1,
    ),
    Attack(
        "COCO image-to-text R@1 loses 11 of 100 queries",
        {"coco-retrieval.test": lose_queries(11)}, "coco-retrieval test i2t_r1", DRIFTED, 1,
    ),
    Attack(
        "the same, but only from rank 1 to 2: R@5 and R@10 stay",
        {"coco-retrieval.test": lose_queries(11, rank=1)},
        "coco-retrieval test i2t_r1", DRIFTED, 1,
    ),
    Attack(
        "NLVR2 dev consistency falls from 50 to 22.5",
        {"nlvr2.dev": flip(11)}, "nlvr2 dev consistency", DRIFTED, 1,
    ),
    Attack(
        "nine results lose 10 outcomes each and gain none",
        LOSE_TEN, "refcoco+ testA accuracy", DRIFTED, 1,
    ),
    Attack(
        "nine results lose 3 outcomes each: none is proven",
        LOSE_THREE, "all results together", DRIFTED, 1,
    ),
    Attack(
        "three results are worse, four gained as much",
        WORSE_AND_BETTER, "all results together", DRIFTED, 1,
    ),
    Attack(
        "11 queries lost while eight other results churn",
        {**NOISE, "coco-retrieval.test": lose_queries(11)},
        "coco-retrieval test i2t_r1", DRIFTED, 1,
    ),
    Attack(
        "6 queries lost while eight other results churn",
        {**NOISE, "coco-retrieval.test": lose_queries(6)},
        "coco-retrieval test i2t_r1", WORSE, 0,
    ),
    Attack(
        "the same with `--fail-on-worse any`",
        {**NOISE, "coco-retrieval.test": lose_queries(6)},
        "coco-retrieval test i2t_r1", WORSE, 1, ("--fail-on-worse", "any"),
    ),
    Attack(
        "text-to-image falls, image-to-text gains",
        {"coco-retrieval.test": lose_one_gain_other(12, 6)},
        "coco-retrieval test t2i_r1", DRIFTED, 1,
    ),
    Attack(
        "VQA loses 10 questions about numbers and gains 6 others",
        {"vqav2.val": trade_parts(10, 6)}, "vqav2 val accuracy_number", DRIFTED, 1,
    ),
    Attack(
        "20 of 100 images get the scores of the worst captions",
        {"coco-caption.test": swap_captions(20)}, "coco-caption test cider", DRIFTED, 1,
    ),
    Attack(
        "the boxes of a fifth of OVAD's images get the scores of others",
        {"ovad.box": blur_attributes(0.2)}, "ovad box map", DRIFTED, 1,
    ),
    # Slow drops.
    Attack(
        "5 of 100 queries lost, the first step of the ratchet",
        {"coco-retrieval.test": lose_queries(5)}, "coco-retrieval test i2t_r1", DRIFTED, 1,
    ),
    Attack(
        "4 of 100 queries lost: a step that only an anchor sees",
        {"coco-retrieval.test": lose_queries(4)}, "coco-retrieval test i2t_r1", SAME, 0,
    ),
    # Chance near the level.
    Attack(
        "26 queries lost, 6 gained, among eight results that churn",
        {**NOISE, "coco-retrieval.test": lose_queries(26, 6, side="t2i")},
        "coco-retrieval test t2i_r1", DRIFTED, 1,
    ),
    # Units that change together.
    Attack(
        "both statements of 4 of 20 sets of NLVR2 images lost",
        {"nlvr2.dev": lose_clusters(4)}, "nlvr2 dev accuracy", SAME, 0,
    ),
    Attack(
        "both statements of 6 of 20 sets of NLVR2 images lost",
        {"nlvr2.dev": lose_clusters(6)}, "nlvr2 dev accuracy", DRIFTED, 1,
    ),
    # Near 100 %.
    Attack(
        "one of 40 queries that were all right is lost",
        {"coco-retrieval.val": lose_queries(1)}, "coco-retrieval val i2t_r1", SAME, 0,
    ),
    # Churn.
    Attack(
        "44 % of NLVR2's answers flip, as many either way",
        {"nlvr2.dev": invert(0.43)}, "nlvr2 dev predictions", DRIFTED, 1, same_weights=True,
    ),
    Attack(
        "the same with other weights: another model answers differently",
        {"nlvr2.dev": invert(0.43)}, "nlvr2 dev accuracy", SAME, 0,
    ),
    Attack(
        "30 of 500 texts lose their image and 21 find it",
        {"coco-retrieval.test": lose_queries(30, 21, side="t2i", rank=1)},
        "coco-retrieval test predictions", DRIFTED, 1, same_weights=True,
    ),
    Attack(
        "2 % flip, as many either way",
        {"nlvr2.test": flip(3, 3)}, "nlvr2 test accuracy", SAME, 0, same_weights=True,
    ),
    Attack(
        "the same with `--max-changed 1`",
        {"nlvr2.test": flip(3, 3)}, "nlvr2 test predictions", DRIFTED, 1,
        ("--max-changed", "1"), same_weights=True,
    ),
    Attack("nothing but chance in nine results", NOISE, "nlvr2 test accuracy", SAME, 0),
    Attack(
        "nine queries gained",
        {"coco-retrieval.test": lose_queries(0, 9)}, "coco-retrieval test i2t_r1", IMPROVED, 0,
    ),
    # Settings.
    Attack(
        "4 of 100 queries lost with `--require no-worse`",
        {"coco-retrieval.test": lose_queries(4)}, "coco-retrieval test i2t_r1", SAME, 1,
        ("--require", "no-worse"),
    ),
    Attack(
        "11 queries lost with `--level 0.0001`: a setting that hides it",
        {"coco-retrieval.test": lose_queries(11)}, "coco-retrieval test i2t_r1", WORSE, 0,
        ("--level", "0.0001"),
    ),
    Attack(
        "11 queries lost with a margin of 12 points for `i2t_r1` in `gate.yaml`: R@5 still fails",
        {"coco-retrieval.test": lose_queries(11)}, "coco-retrieval test i2t_r5", DRIFTED, 1,
        settings={"margins": {"i2t_r1": 12.0}},
    ),
    Attack(
        "11 queries lost, `--metrics t2i*` compares others only",
        {"coco-retrieval.test": lose_queries(11)}, "coco-retrieval test t2i_r1", "identical", 0,
        ("--metrics", "t2i*"),
    ),
)
# fmt: on


def table() -> list[str]:
    """Return the rows of the table in the documentation."""
    return [
        f"| {attack.title} | {attack.cell} | {attack.verdict} | {attack.code} |"
        for attack in ATTACKS
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
