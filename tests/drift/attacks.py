"""Pairs of results that try to mislead the gate, and the verdict that each one has to end in.

The table in `docs/drift.md` has one row for each; `python -m tests.drift.attacks` prints it.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.metrics.nlvr2 import consistent, group_of, image_set_of
from harness.metrics.retrieval import KS, statistics
from harness.records.sample_scores import SampleScores, write_sample_scores
from harness.records.stored import read_result
from harness.statistics.means import mean_of
from harness.statistics.sums import Floats, Statistic
from tests.support.altered import CHECKPOINT, edit_record

Run = Mapping[str, Statistic]
Change = Callable[[SampleScores], Run]  # the sample scores of a result -> its altered statistics
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


def alter(results: Path, stem: str, change: Change) -> None:
    """Give a result other sample scores, and a record that agrees with them; no predictions."""
    path = results / CHECKPOINT / f"{stem}.json"
    result = read_result(path)
    before = result.sample_scores
    run = change(before)
    changed = _changed_samples(before, run)
    by_sample = {
        name: run[name].each() if len(run[name].each()) == len(before.ids) else values
        for name, values in before.by_sample.items()
        if name in run
    }
    digests = np.where(changed, before.digests + np.uint64(1), before.digests)
    scores = SampleScores(before.ids, digests, by_sample, run)
    sidecar = path.with_name(f"{stem}.contributions.npz")
    write_sample_scores(sidecar, scores)
    (path.parent / f"{stem}.predictions.jsonl").unlink(missing_ok=True)
    (path.parent / f"{stem}.predictions.jsonl.gz").unlink(missing_ok=True)
    record = json.loads(path.read_text())
    for name, statistic in run.items():
        clusters = statistic.resampled()
        record["metrics"][name] = float(clusters.of(np.ones((1, clusters.clusters)))[0])
    record["intervals"] = {}
    record["predictions"]["sha256"] = hashlib.sha256(sidecar.read_bytes()).hexdigest()
    record["contributions"]["sha256"] = hashlib.sha256(sidecar.read_bytes()).hexdigest()
    path.write_text(json.dumps(record))


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


def _changed_samples(before: SampleScores, run: Run) -> Any:
    """Return which samples changed, or all of them where units are no samples."""
    changed = np.zeros(len(before.ids), dtype=bool)
    for name, statistic in run.items():
        old, new = before.statistics[name].each(), statistic.each()
        if len(old) == len(changed):
            changed |= old != new
    return changed if changed.any() else np.ones(len(before.ids), dtype=bool)


def flip(worse: int, better: int = 0) -> Change:
    """Make right answers wrong and wrong ones right, each in a cluster without other changes."""

    def change(scores: SampleScores) -> Run:
        values, cluster = _units(scores)
        return _from_units(scores, _flipped(values, cluster, worse, better))

    return change


def lose_clusters(count: int) -> Change:
    """Make every answer of the first clusters wrong."""

    def change(scores: SampleScores) -> Run:
        values, cluster = _units(scores)
        return _from_units(scores, np.where(cluster < count, 0.0, values))

    return change


def invert(share: float) -> Change:
    """Turn the same number of right and wrong answers, `share` of all, in any cluster."""

    def change(scores: SampleScores) -> Run:
        values, _ = _units(scores)
        count = round(share * len(values) / 2)
        values = values.copy()
        right, wrong = np.flatnonzero(values == 100), np.flatnonzero(values == 0)
        values[right[:count]], values[wrong[:count]] = 0.0, 100.0
        return _from_units(scores, values)

    return change


def lose_queries(worse: int, better: int = 0, *, side: str = "i2t", rank: int = 20) -> Change:
    """Give queries with a hit at rank 0 another rank, and others rank 0."""

    def change(scores: SampleScores) -> Run:
        return retrieval(scores, side, {"worse": worse, "better": better}, rank)

    return change


def retrieval(scores: SampleScores, side: str, counts: Mapping[str, int], rank: int) -> Run:
    """Return the metrics after queries of one side, in different clusters, changed their rank."""
    run, ranks = scores.statistics, {}
    for name in ("i2t", "t2i"):
        below = np.stack([run[f"{name}_r{k}"].each() > 50 for k in KS]).sum(axis=0)
        ranks[name] = np.select([below == 3, below == 2, below == 1], [0, 4, 9], 20)
    first = run[f"{side}_r1"]
    flipped = _flipped(first.each(), first.cluster, counts["worse"], counts["better"])
    lost, gained = flipped < first.each(), flipped > first.each()
    ranks[side] = np.where(lost, rank, np.where(gained, 0, ranks[side]))
    return statistics(ranks["i2t"], ranks["t2i"], np.bincount(run["t2i_r1"].cluster).tolist())


def lose_one_gain_other(worse: int, better: int) -> Change:
    """Lose queries from text to image, and gain queries from image to text."""

    def change(scores: SampleScores) -> Run:
        lost = retrieval(scores, "t2i", {"worse": worse, "better": 0}, 20)
        return retrieval(replace(scores, statistics=lost), "i2t", {"worse": 0, "better": better}, 0)

    return change


def trade_parts(worse: int, better: int) -> Change:
    """Lose questions about numbers and gain others."""

    def change(scores: SampleScores) -> Run:
        parts = scores.statistics
        number, other = parts["accuracy_number"], parts["accuracy_other"]
        values = {
            "accuracy_number": _flipped(number.values, number.cluster, worse, 0),
            "accuracy_other": _flipped(other.values, other.cluster, 0, better),
        }
        altered = {name: replace(parts[name], values=value) for name, value in values.items()}
        by_part = {**parts, **altered}
        order = [by_part[name] for name in parts if name != "accuracy"]
        whole = replace(
            parts["accuracy"],
            values=np.concatenate([part.values for part in order]),
            cluster=np.concatenate([part.cluster for part in order]),
        )
        return {"accuracy": whole, **{n: by_part[n] for n in parts if n != "accuracy"}}

    return change


def swap_captions(count: int) -> Change:
    """Give images, the best captions first, the scores of the worst captions."""

    def change(scores: SampleScores) -> Run:
        order = np.argsort(-scores.statistics["cider"].each())
        source = np.arange(len(order))
        source[order[:count]] = order[-count:]
        return {
            name: replace(statistic, values=statistic.values[source])
            if statistic.kind == "mean"
            else replace(statistic, counts=statistic.counts[source])
            for name, statistic in scores.statistics.items()
        }

    return change


def blur_attributes(share: float) -> Change:
    """Give boxes of a share of the images the scores of other boxes."""

    def change(scores: SampleScores) -> Run:
        boxes = scores.statistics["map"]
        moved = boxes.image < share * (boxes.image.max() + 1)
        source = np.where(moved, np.roll(np.arange(len(moved)), 7), np.arange(len(moved)))
        return {
            name: replace(statistic, scores=statistic.scores[source])
            if name.startswith("map")
            else statistic
            for name, statistic in scores.statistics.items()
        }

    return change


def _units(scores: SampleScores) -> tuple[Floats, Any]:
    accuracy = scores.statistics["accuracy"]
    return accuracy.each(), accuracy.cluster


def _from_units(scores: SampleScores, values: Floats) -> Run:
    """Return the metrics of right and wrong answers; NLVR2's consistency follows from them."""
    run = {"accuracy": replace(scores.statistics["accuracy"], values=values)}
    if "consistency" not in scores.statistics:
        return run
    groups = [group_of(id) for id in scores.ids]
    sets = {group: image_set_of(id) for group, id in zip(groups, scores.ids, strict=True)}
    hits = [100.0 * right for right in consistent((values > 50).tolist(), groups).values()]
    return {**run, "consistency": mean_of(hits, clusters=list(sets.values()))}


def _flipped(values: Floats, cluster: Any, worse: int, better: int) -> Floats:
    """Return the values with one lost in each of `worse` clusters, one gained in each of others."""
    values, used = values.copy(), set()
    for count, old, new in ((better, 0.0, 100.0), (worse, 100.0, 0.0)):
        candidates = [n for n in np.flatnonzero(values == old) if cluster[n] not in used]
        of_cluster: dict[int, int] = {}
        for number in candidates:
            of_cluster.setdefault(int(cluster[number]), int(number))
        chosen = list(of_cluster.items())[:count]
        if len(chosen) < count:
            raise ValueError(f"only {len(chosen)} of {count} clusters can change")
        for name, number in chosen:
            used.add(name)
            values[number] = new
    return values


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
