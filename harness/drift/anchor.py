"""Check results against a baseline and against its anchor: the last one that a person reviewed.

A rolling baseline forgives what the last check let pass; the anchor does not. It lies in `anchor/`
beside the baseline's folders, from the first renewal that nobody reviewed until the next that
somebody did. Both checks share the level. The one against the anchor spends 1 / (k (k + 1)) of its
share at the k-th renewal, which adds up to the whole share however long the anchor stays.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from harness.checkpoints import normalise_name
from harness.drift.check import CheckOutcome, check, listed
from harness.drift.history import History, describe_history, read_history
from harness.drift.lineage import FILE, renewals_since_review
from harness.drift.report import (
    check_values,
    junit_suite,
    render_check,
    render_suite,
    summary,
)
from harness.drift.settings import Gate, override
from harness.errors import UsageError, printable
from harness.rendering import render_json

FOLDER = "anchor"


@dataclass(frozen=True)
class Checks:
    """The outcome of the check against the baseline, against the anchor, and of the history."""

    baseline: CheckOutcome
    anchor: CheckOutcome | None = None
    history: History | None = None

    @property
    def failed(self) -> bool:
        """Whether one of them fails."""
        return (
            self.baseline.failed
            or (self.anchor is not None and self.anchor.failed)
            or (self.history is not None and self.history.failed)
        )


def check_all(
    results: Path | Sequence[Path],
    baseline: Path | Sequence[Path],
    *,
    gate: Gate,
    checkpoint: str | None = None,
    refused: Sequence[str] = (),
    history: Sequence[Path] = (),
) -> Checks:
    """Compare results with a baseline, with its anchor if it has one, and with older results.

    Raises what `check` raises, and UsageError for several folders of results with a `history`.
    """
    if history and len(listed(results)) > 1:
        raise UsageError("--history: older results lead to one folder of results, not to several")
    anchors = {
        folder / FOLDER: anchored
        for folder in listed(baseline)
        if (anchored := anchored_gate(folder, gate, checkpoint=checkpoint)) is not None
    }
    anchor = _strictest(list(anchors.values())) if anchors else None
    lost = [
        sentence
        for folder in listed(baseline)
        for sentence in lost_anchors(folder, gate, checkpoint=checkpoint)
    ]
    parts = 1 + (anchor is not None) + bool(history)
    rolling = check(
        results,
        baseline,
        gate=override(gate, level=gate.level / parts),
        checkpoint=checkpoint,
        refused=[*refused, *lost],
    )
    reviewed = None
    if anchor is not None:
        anchor = override(anchor, level=anchor.level / parts)
        reviewed = check(results, list(anchors), gate=anchor, checkpoint=checkpoint)
    trend = None
    if history:
        trend = read_history(
            [*history, *listed(results)], gate=override(gate, level=gate.level / parts)
        )
    return Checks(rolling, reviewed, trend)


def anchored_gate(baseline: Path, gate: Gate, *, checkpoint: str | None = None) -> Gate | None:
    """Return the settings of a check against the anchor of a baseline; None if it has none.

    It compares the checkpoints that have an anchor; the others' baseline is their anchor.
    """
    names = _checkpoints(baseline / FOLDER, gate, checkpoint)
    if not names:
        return None
    counts = renewals_since_review(baseline)
    renewals = max(1, *(counts[name] for name in names))
    level = gate.level / (renewals * (renewals + 1))
    return override(gate, level=level, checkpoints=None if checkpoint else names)


def lost_anchors(baseline: Path, gate: Gate, *, checkpoint: str | None = None) -> list[str]:
    """Return a sentence for each checkpoint whose anchor should be beside its baseline, and is not.

    The lineage tells that the baseline was renewed since a person reviewed it. Without the anchor,
    everything that was lost since then would be forgiven.
    """
    lacking = [
        name
        for name in _checkpoints(baseline, gate, checkpoint)
        if not any((baseline / FOLDER / name).glob("*.json"))
    ]
    renewals = renewals_since_review(baseline) if lacking else Counter[str]()
    return [
        f"{baseline / FOLDER / name}: holds no results, but {FILE} ends in renewals of {name} that "
        f"nobody reviewed ({renewals[name]}); restore the folder from version control, or review "
        'the results and renew the baseline: `xvlm-eval baseline --reason "..."`'
        for name in lacking
        if renewals[name]
    ]


def _checkpoints(folder: Path, gate: Gate, checkpoint: str | None) -> list[str]:
    """Return the names of the checkpoints of a folder that are compared."""
    return [
        path.name
        for path in sorted(folder.glob("*/"))
        if any(path.glob("*.json"))
        and gate.compares(checkpoint=path.name)
        and (checkpoint is None or normalise_name(path.name) == normalise_name(checkpoint))
    ]


def _strictest(gates: Sequence[Gate]) -> Gate:
    """Return the settings of several anchors: the smallest level, the checkpoints of all."""
    names = [name for gate in gates for name in gate.checkpoints]
    level = min(gate.level for gate in gates)
    return override(gates[0], level=level, checkpoints=names or None)


def render_checks(checks: Checks, format: str) -> str:
    """Return the outcome of all checks as text: `terminal`, `md`, `json` or `junit`."""
    if format == "json":
        return render_json(
            {
                **check_values(checks.baseline),
                "failed": checks.failed,
                "summary": summarise(checks),
                "anchor": checks.anchor and check_values(checks.anchor),
                "history": checks.history and checks.history.as_json(),
            }
        )
    if format == "junit":
        return _as_junit(checks)
    parts = [render_check(checks.baseline, format)]
    if checks.anchor is not None:
        heading = "Beside the anchor, the last baseline that a person reviewed"
        parts += [f"**{heading}**" if format == "md" else heading]
        parts += [render_check(checks.anchor, format)]
    if checks.history is not None:
        parts.append(describe_history(checks.history, format))
    return printable("\n\n".join(parts))


def summarise(checks: Checks) -> str:
    """Return the outcome of all checks in a few sentences."""
    sentences = [summary(checks.baseline)]
    if checks.anchor is not None:
        sentences.append(f"beside the anchor: {summary(checks.anchor)}")
    if checks.history is not None:
        sentences.append(f"history: {checks.history.summary}")
    return "; ".join(sentences)


def _as_junit(checks: Checks) -> str:
    """Return JUnit XML: one suite, or several where there is an anchor or a history."""
    suite = junit_suite(checks.baseline)
    if checks.anchor is None and checks.history is None:
        return render_suite(suite)
    suites = ElementTree.Element("testsuites", name="xvlm-eval check")
    suites.append(suite)
    if checks.anchor is not None:
        anchor = junit_suite(checks.anchor)
        anchor.set("name", "xvlm-eval check, beside the anchor")
        suites.append(anchor)
    if checks.history is not None:
        suites.append(checks.history.as_junit())
    return render_suite(suites)
