"""Compare every result of a folder with its baseline, metric by metric."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.drift.baselines import candidate_baselines, find_baseline, is_named
from harness.drift.environment import Difference, listed_diff
from harness.drift.evidence import Evidence, gather_evidence
from harness.drift.inputs import describe_inputs
from harness.drift.judging import ALL_RESULTS, Findings, judge_results
from harness.drift.samples import PredictionChanges, SampleChange
from harness.drift.settings import Gate
from harness.drift.verdicts import Cell, Missing, Outcome, Refused
from harness.errors import DataError, UsageError
from harness.records.stored import StoredResult, StoredResults, find_all_results


@dataclass(frozen=True)
class ComparedResult:
    """A result beside its baseline.

    `exact`: the fingerprints are identical, so the same predictions are due, by whatever code;
    `differences` are those of the two environments. `inputs` says whether the model's inputs
    changed. `predictions` is None where they cannot be compared; `changes` are the changed samples,
    the most important first.
    """

    title: str
    baseline: Path
    exact: bool
    differences: Sequence[Difference]
    inputs: str
    predictions: PredictionChanges | None
    samples: int
    changes: Sequence[SampleChange]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of a check; `others` are cells about no pair of results.

    These are results that were refused, baselines without a result, and all results together.
    """

    gate: Gate
    compared: Sequence[ComparedResult]
    others: Sequence[Cell]
    remarks: Sequence[str] = ()  # on folders that could not be read, and on unknown metrics

    @property
    def cells(self) -> list[Cell]:
        """Every cell."""
        return [*(cell for result in self.compared for cell in result.cells), *self.others]

    @property
    def failed(self) -> bool:
        """Whether a cell fails, or there are no cells."""
        return not self.cells or any(cell.failing for cell in self.cells)


def check(
    results: Path | Sequence[Path],
    baseline: Path | Sequence[Path],
    *,
    gate: Gate | None = None,
    checkpoint: str | None = None,
    refused: Sequence[str] = (),
) -> CheckOutcome:
    """Compare each result of a folder with its baseline: of its own checkpoint, or of `checkpoint`.

    Both sides may be several folders. A folder may be on both if `checkpoint` names one of its
    models: the others are compared with it. `refused` are reasons to refuse that the caller found.
    Raises MissingError where one of the folders does not exist, UsageError where it is on both
    sides without a `checkpoint`, and where the results have none of the metrics that the gate
    compares.
    """
    baselines = {folder.resolve() for folder in listed(baseline)}
    both = [folder for folder in listed(results) if folder.resolve() in baselines]
    if both and checkpoint is None:
        raise UsageError(
            f"{both[0]}: is the baseline itself; compare other results with it, or the models in "
            "it with one of them: --checkpoint NAME"
        )
    gate = gate or Gate()
    now, before = find_all_results(listed(results)), find_all_results(listed(baseline))
    others = [
        Cell("", "", "", "", None, None, Refused(reason), gate)
        for reason in dict.fromkeys((*now.rejected, *before.rejected, *refused))
    ]
    pairs: list[tuple[StoredResult, StoredResult]] = []
    refused_bases: set[Path] = set()  # of which a result is refused: it is not missing
    for result in now.results:
        if checkpoint and result.path.parents[1] in both and is_named(result.record, checkpoint):
            continue
        if gate.compares(checkpoint=result.record.checkpoint["name"]):
            try:
                base = find_baseline(result, before, checkpoint=checkpoint)
                _refuse_itself(base, result)
                pairs.append((base, result))
            except DataError as error:
                others.append(_cell(result, "", Refused(str(error)), gate))
                candidates = candidate_baselines(result, before, checkpoint=checkpoint)
                refused_bases.update(base.path for base in candidates)
    gate.refuse_unknown_metrics(
        {metric for pair in pairs for result in pair for metric in result.record.metrics}
    )
    used = {base.path for base, _ in pairs} | refused_bases
    others += [
        _cell(base, "", Missing(), gate)
        for base in before.results
        if base.path not in used
        and not _is_rejected(base, listed(results), now)
        and gate.compares(checkpoint=base.record.checkpoint["name"])
        and (checkpoint is None or is_named(base.record, checkpoint))
    ]
    evidence = [gather_evidence(base, result, gate) for base, result in pairs]
    judgement = judge_results(
        [Findings(pair.result.title, pair.findings, pair.pairs) for pair in evidence], gate
    )
    if judgement.together is not None:
        others.append(Cell("", "", "", ALL_RESULTS, None, None, judgement.together, gate))
    compared = [
        _compared(pair, outcomes, gate)
        for pair, outcomes in zip(evidence, judgement.results, strict=True)
    ]
    known = {metric for each in (*now.results, *before.results) for metric in each.record.metrics}
    remarks = (*now.remarks, *before.remarks, *gate.unknown_names(known))
    return CheckOutcome(gate, compared, others, remarks)


def _refuse_itself(base: StoredResult, result: StoredResult) -> None:
    """Raise DataError where a link leads from the folder of a result to that of its baseline.

    Single files may be links to one file: DVC and git-annex keep equal files once.
    """
    if base.path.parent.resolve() == result.path.parent.resolve():
        raise DataError(
            f"{result.path.parent} and {base.path.parent} are one folder: the result is its own "
            "baseline; compare other results with it"
        )


def _is_rejected(base: StoredResult, folders: Sequence[Path], found: StoredResults) -> bool:
    """Return whether the result of a baseline is here, but rejected; `found` holds the reason."""
    places = {base.record.path(folder) for folder in folders}
    rejected = places - {result.path for result in found.results}
    # Unlike `Path.is_file`, this raises nothing in a folder that is closed.
    return any(os.path.isfile(path) for path in rejected)  # noqa: PTH113


def listed(folders: Path | Sequence[Path]) -> list[Path]:
    """Return one or several folders as a list."""
    return [folders] if isinstance(folders, Path) else list(folders)


def _compared(
    evidence: Evidence, outcomes: Sequence[tuple[str, Outcome]], gate: Gate
) -> ComparedResult:
    base, result = evidence.base, evidence.result
    return ComparedResult(
        title=result.title,
        baseline=base.path,
        exact=not evidence.differences,
        differences=listed_diff(base.record, result.record),
        inputs=describe_inputs(base, result),
        predictions=evidence.predictions,
        samples=result.record.n,
        changes=evidence.changes,
        cells=[_cell(result, metric, outcome, gate, base) for metric, outcome in outcomes],
    )


def _cell(
    result: StoredResult,
    metric: str,
    outcome: Outcome,
    gate: Gate,
    base: StoredResult | None = None,
) -> Cell:
    record = result.record
    return Cell(
        result.checkpoint,
        record.task,
        record.split,
        metric,
        None if base is None else base.record.metrics.get(metric),
        None if base is None else record.metrics.get(metric),
        outcome,
        gate,
    )
