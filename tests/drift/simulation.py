"""Simulate checks of a baseline in which nothing is worse: `python -m tests.drift.simulation`.

Both runs of a check are the baseline with noise, drawn twice from the same distribution: a share
of the samples (`churn`, in percent) has another outcome in either run, half of them one by one,
more in some clusters than in others, and half of them whole clusters at a time. All metrics of a
result follow from the same outcomes, as in a real run: consistency from the verdicts on statements,
R@1, R@5, R@10 and their means from one rank per query, all caption metrics from the same captions.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.drift.judging import Findings, Judgement, judge_results
from harness.drift.settings import Gate
from harness.drift.verdicts import Due, Tested, Verdict, judge
from harness.files.paths import shipped_path
from harness.metrics.nlvr2 import consistent, group_of, image_set_of
from harness.metrics.retrieval import KS, statistics
from harness.records.stored import StoredResult, find_results
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from harness.statistics.means import mean_of, means_of_parts
from harness.statistics.paired import Pair, compare
from harness.statistics.sums import Floats, Statistic

Generator = np.random.Generator
Run = Mapping[str, Statistic]  # of one result: its metrics
EVENNESS = 2.0  # of churn over clusters (Beta distribution): a small one puts it into few clusters
CHURNS = (1.0, 4.0, 16.0)  # percent of the samples that differ between the two runs
SHIFT = 0.02  # of OVAD's scores between 0 and 1, where they change


class Simulated(NamedTuple):
    """A result of the baseline, and how a noisy run of it is drawn: churn in percent -> metrics."""

    title: str
    draw: Callable[[Generator, float], Run]


def simulated_results(baseline: Path) -> list[Simulated]:
    """Return every result of a baseline with known truths."""
    return [
        Simulated(result.title, _noise_of(result))
        for result in find_results(baseline).results
        if result.record.contributions.get("sha256") and result.sample_scores.statistics
    ]


def simulate_check(
    results: Sequence[Simulated], generator: Generator, *, churn: float, gate: Gate
) -> Judgement:
    """Judge two noisy runs of all results, neither of which is worse."""
    findings = []
    for title, draw in results:
        before, after = (draw(generator, churn / 2) for _ in range(2))
        findings.append(findings_of(title, before, after))
    return judge_results(findings, gate)


def findings_of(title: str, before: Run, after: Run) -> Findings:
    """Return what `check` knows of a result before it is tested."""
    pairs = {name: Pair(before[name], after[name]) for name in before}
    return Findings(title, [(name, compare(pair)) for name, pair in pairs.items()], pairs)


def verdicts(judgement: Judgement, gate: Gate) -> list[Verdict]:
    """Return the verdict of every cell."""
    cells = [cell for result in judgement.results for cell in result]
    cells += [("", judgement.together)] if judgement.together else []
    return [
        outcome.verdict
        if isinstance(outcome, Due)
        else judge(outcome.comparison, outcome.p, gate=gate, margin=gate.margin_of(metric))
        for metric, outcome in cells
        if isinstance(outcome, Due | Tested)
    ]


def flipped(cluster: NDArray[np.int32], generator: Generator, churn: float) -> NDArray[np.bool_]:
    """Return which units have another outcome than in the baseline, `churn` percent of them."""
    clusters = int(cluster.max()) + 1
    rates = generator.beta(EVENNESS, EVENNESS, size=clusters) * 2 * churn / 200
    alone = generator.random(len(cluster)) < rates[cluster]
    return alone ^ (generator.random(clusters) < churn / 200)[cluster]


def _noise_of(result: StoredResult) -> Callable[[Generator, float], Run]:
    """Return how a noisy run of a result is drawn."""
    run = result.sample_scores.statistics
    kinds: dict[str, Callable[..., Run]] = {
        "nlvr2": _nlvr2,
        "vqav2": _vqa,
        "coco-retrieval": _retrieval,
        "flickr30k-retrieval": _retrieval,
        "coco-caption": _captions,
        "ovad": _attributes,
    }
    kind = kinds.get(result.record.task, _shares)
    details = _details(result)
    return lambda generator, churn: kind(run, details, generator, churn)


def _details(result: StoredResult) -> Any:
    """Return what the outcomes of a task depend on beside its statistics."""
    if result.record.task == "nlvr2":
        return list(result.sample_scores.ids)
    if result.record.task == "vqav2":
        samples = find_task("vqav2").load(embedded_data(), result.record.split)
        types = np.array([sample.answer_type.replace("/", "_") for sample in samples])
        parts = {f"accuracy_{name}": np.flatnonzero(types == name) for name in sorted(set(types))}
        return {"accuracy": range(len(samples)), **parts}
    return None


def _shares(run: Run, _: Any, generator: Generator, churn: float) -> Run:
    """Turn right answers wrong and wrong ones right."""
    return {
        name: replace(mean, values=_turned(mean.values, flipped(mean.cluster, generator, churn)))
        for name, mean in run.items()
    }


def _turned(values: Floats, flips: NDArray[np.bool_]) -> Floats:
    return np.where(flips, np.where(values > 50, 0.0, 100.0), values)


def _vqa(run: Run, parts: Any, generator: Generator, churn: float) -> Run:
    whole = run["accuracy"]
    values = _turned(whole.values, flipped(whole.cluster, generator, churn))
    return means_of_parts(values, clusters=whole.cluster.tolist(), parts=parts)


def _nlvr2(run: Run, ids: Sequence[str], generator: Generator, churn: float) -> Run:
    accuracy = run["accuracy"]
    values = _turned(accuracy.values, flipped(accuracy.cluster, generator, churn))
    groups = [group_of(id) for id in ids]
    sets = {group: image_set_of(id) for group, id in zip(groups, ids, strict=True)}
    hits = [100.0 * right for right in consistent((values > 50).tolist(), groups).values()]
    return {
        "accuracy": replace(accuracy, values=values),
        "consistency": mean_of(hits, clusters=list(sets.values())),
    }


def _retrieval(run: Run, _: Any, generator: Generator, churn: float) -> Run:
    """Give queries the rank of another one."""
    ranks = {}
    for side in ("i2t", "t2i"):
        hits = [run[f"{side}_r{k}"] for k in KS]
        # Ranks are known by the smallest k of KS that they are below.
        below = np.stack([hit.values > 50 for hit in hits]).sum(axis=0)
        rank = np.array([k - 1 for k in reversed(KS)])[below - 1]
        rank = np.where(below == 0, max(KS), rank)
        moved = flipped(hits[0].cluster, generator, churn)
        ranks[side] = np.where(moved, generator.integers(0, 12, size=len(rank)), rank)
    captions = np.bincount(run["t2i_r1"].cluster).tolist()
    return statistics(ranks["i2t"], ranks["t2i"], captions)


def _captions(run: Run, _: Any, generator: Generator, churn: float) -> Run:
    """Give images the scores of another image's caption."""
    images = len(run["cider"].values)
    moved = flipped(run["cider"].cluster, generator, churn)
    source = np.where(moved, generator.permutation(images), np.arange(images))
    return {
        name: replace(statistic, values=statistic.values[source])
        if statistic.kind == "mean"
        else replace(statistic, counts=statistic.counts[source])
        for name, statistic in run.items()
    }


def _attributes(run: Run, _: Any, generator: Generator, churn: float) -> Run:
    """Move the scores of all attributes of boxes."""
    boxes = run["map"]
    moved = flipped(boxes.image, generator, churn)[:, None]
    noise = SHIFT * generator.normal(size=boxes.scores.shape)
    scores = (boxes.scores + np.where(moved, noise, 0.0)).astype(np.float32)
    return {
        name: replace(statistic, scores=scores) if name.startswith("map") else statistic
        for name, statistic in run.items()
    }


@cache
def committed_results() -> tuple[Simulated, ...]:
    """Return the results of the committed baseline."""
    return tuple(simulated_results(shipped_path("results")))


class Alarms(NamedTuple):
    """How many of `checks` fail, how many have a worse cell, and how many a worse one alone."""

    checks: int
    failed: int
    worse: int


def count_alarms(
    results: Sequence[Simulated], *, churn: float, checks: int, seed: int, gate: Gate | None = None
) -> Iterator[Alarms]:
    """Yield the counts after every check."""
    gate = gate or Gate()
    generator = np.random.Generator(np.random.PCG64([seed, round(100 * churn)]))
    failed = worse = 0
    for check in range(1, checks + 1):
        counts = Counter(verdicts(simulate_check(results, generator, churn=churn, gate=gate), gate))
        failed += bool(counts[Verdict.DRIFTED])
        worse += bool(counts[Verdict.DRIFTED] or counts[Verdict.WORSE])
        yield Alarms(check, failed, worse)


def with_error(count: int, checks: int) -> str:
    """Return a share in percent with its 95 % interval (Wilson)."""
    z = 1.96
    share, scale = count / checks, 1 + z**2 / checks
    middle = (share + z**2 / (2 * checks)) / scale
    half = z * math.sqrt(share * (1 - share) / checks + z**2 / (4 * checks**2)) / scale
    return f"{100 * share:.1f} % ({100 * (middle - half):.1f} to {100 * (middle + half):.1f} %)"


def main() -> None:
    """Print a table of false alarms by churn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=1_000)
    parser.add_argument("--churn", type=float, action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    results = committed_results()
    sys.stdout.write("| churn | checks | failed | a cell drifted or worse, not proven |\n")
    sys.stdout.write("|---|---|---|---|\n")
    for churn in options.churn or CHURNS:
        for alarms in count_alarms(results, churn=churn, checks=options.checks, seed=options.seed):
            if alarms.checks % 50 == 0:
                print(alarms, file=sys.stderr, flush=True)
        failed, worse = (with_error(n, alarms.checks) for n in (alarms.failed, alarms.worse))
        sys.stdout.write(f"| {churn:g} % | {alarms.checks:,} | {failed} | {worse} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
