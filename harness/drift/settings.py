"""The rules of a check: how large a drop may be, how sure the gate has to be, what fails."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from msgspec import Struct, structs

from harness.errors import DataError, UsageError, nearest
from harness.files.parsing import Finite, convert, decode_yaml

FILE = "gate.yaml"  # beside a baseline's folders
# A smaller drop is never called drift, however significant, since published tables have one
# decimal. CIDEr goes up to some 150 points; BLEU of one caption jumps by whole n-grams.
MARGINS: Mapping[str, float] = MappingProxyType({"cider": 0.5, "bleu*": 0.2})


class Gate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a check; `docs/drift.md` gives the reason of every default.

    level          the chance, at most, that the tests of a check call anything drifted if nothing
                   changed for the worse
    sides          2 spends half of the level on gains
    margin         the largest drop that passes, in points
    margins        the same by metric, a name or a pattern
    max_changed    percent of samples whose outcome may change while weights, data and protocol do
                   not; null for no limit
    require        `no-drift`, or `no-worse`: an interval has to exclude a drop beyond the margin
    fail_on_worse  drops that are likely and not proven fail where there are `several`, more than
                   chance explains, or wherever there is `any`
    allow_missing  whether a baseline may have no result
    metrics, checkpoints  names or patterns of what is compared; all, if empty
    """

    level: Finite = 0.05
    sides: Literal[1, 2] = 1
    margin: Finite = 0.1
    margins: dict[str, Finite] = {}
    max_changed: Finite | None = 10.0
    require: Literal["no-drift", "no-worse"] = "no-drift"
    fail_on_worse: Literal["several", "any"] = "several"
    allow_missing: bool = False
    metrics: list[str] = []
    checkpoints: list[str] = []

    def margin_of(self, metric: str) -> float:
        """Return the margin of a metric, in points."""
        for margins in (self.margins, MARGINS):
            for pattern, margin in margins.items():
                if fnmatchcase(metric, pattern):
                    return margin
        return self.margin

    def compares(self, *, checkpoint: str, metric: str | None = None) -> bool:
        """Whether results of a checkpoint, and a metric of them, are compared."""
        return _matches(checkpoint, self.checkpoints) and (
            metric is None or _matches(metric, self.metrics)
        )

    def refuse_unknown_metrics(self, known: Collection[str]) -> None:
        """Raise UsageError where `metrics` names none of those that results have.

        A misspelt name would compare nothing, and so find no drift.
        """
        if known and not any(_matches(name, self.metrics) for name in known):
            close = nearest(self.metrics[0], known)
            raise UsageError(f"metrics {', '.join(self.metrics)}: the results have none{close}")

    def unknown_names(self, known: Collection[str]) -> list[str]:
        """Return a remark for each name or pattern of `metrics` and `margins` that fits none known.

        A misspelt name among others would be ignored without a word.
        """
        named = [("metrics", name) for name in self.metrics]
        named += [("margins", name) for name in self.margins]
        return [
            f"{setting}: {name}: neither the results nor the baseline have a metric of this name"
            for setting, name in named
            if known and not any(fnmatchcase(metric, name) for metric in known)
        ]

    def check(self) -> "Gate":
        """Return the settings. Raises UsageError for a level or margin that makes no sense."""
        if not 0 < self.level < 1:
            raise UsageError(
                f"the level of a check is between 0 and 1, e.g. 0.05, not {self.level}"
            )
        if negative := [name for name, value in self._limits() if value < 0]:
            raise UsageError(f"{negative[0]} cannot be negative")
        return self

    def _limits(self) -> list[tuple[str, float]]:
        named = [(f"the margin of {name}", value) for name, value in self.margins.items()]
        limit = [] if self.max_changed is None else [("max_changed", self.max_changed)]
        return [("the margin", self.margin), *named, *limit]


def read_gate(baseline: Path) -> Gate:
    """Return the settings beside a baseline, the defaults if it has none.

    Raises DataError, naming the file, for a value that makes no sense.
    """
    path = baseline / FILE
    if not path.exists() and not path.is_symlink():
        return Gate()
    try:
        return decode_yaml(path, Gate).check()
    except UsageError as error:
        raise DataError(f"{path}: {error}") from error


def read_gates(baselines: Sequence[Path]) -> Gate:
    """Return the settings of several baselines. Raises UsageError where they differ."""
    gates = [read_gate(baseline) for baseline in baselines]
    for baseline, gate in zip(baselines, gates, strict=True):
        if gate != gates[0]:
            raise UsageError(
                f"{baseline} and {baselines[0]}: have different settings in {FILE}; "
                "check one after the other"
            )
    return gates[0]


def override(gate: Gate, **changes: object) -> Gate:
    """Return settings with those changes that are not None."""
    given = {name: value for name, value in changes.items() if value is not None}
    changed = structs.asdict(structs.replace(gate, **given))
    try:
        return convert(changed, Gate, where="the settings").check()
    except DataError as error:
        raise UsageError(str(error)) from error


def _matches(name: str, patterns: list[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
