"""Changes to the sample scores of a result, as another model or package would have made them."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.metrics.nlvr2 import consistent, group_of, image_set_of
from harness.metrics.retrieval import KS, statistics
from harness.records.sample_scores import SampleScores, write_sample_scores
from harness.records.stored import read_result
from harness.statistics.means import mean_of
from harness.statistics.sums import Floats, Statistic
from tests.support.altered import CHECKPOINT

Run = Mapping[str, Statistic]
Change = Callable[[SampleScores], Run]  # the sample scores of a result -> its altered statistics


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


def _changed_samples(before: SampleScores, run: Run) -> Any:
    """Return which samples changed, or all of them where units are not samples."""
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
