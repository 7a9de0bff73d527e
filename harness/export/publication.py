"""The source and the notes of a published number, and the results that can be published."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import DataError, UsageError
from harness.records.record import ResultRecord

DIGITS = 2  # of a published metric, as in tables
WIDEST = 10_000  # letters of a line of YAML: none is wrapped


@dataclass(frozen=True)
class Source:
    """Where a number comes from: an address, its name, the user or organisation, and the date.

    Each is empty where it is not stated. Without an address, there is no source.
    """

    url: str = ""
    name: str = ""
    user: str = ""
    org: str = ""
    date: str = ""

    def check(self) -> "Source":
        """Return the source. Raises UsageError for a name without an address."""
        if not self.url and (self.name or self.user or self.org):
            raise UsageError("--source-name, --source-user and --source-org need --source-url")
        return self

    def as_json(self) -> dict[str, str]:
        """Return the address with its name, user and organisation, as far as they are stated."""
        stated = {"url": self.url, "name": self.name, "user": self.user, "org": self.org}
        return {key: text for key, text in stated.items() if text}


def publishable(
    records: Sequence[ResultRecord],
) -> tuple[list[ResultRecord], list[str]]:
    """Return the records that can be published, and the reasons why the others cannot.

    Raises UsageError for results of several checkpoints, since such a file belongs to one model,
    DataError where no record is left.
    """
    chosen, reasons = [], []
    for record in records:
        title = f"{record.checkpoint['name']} {record.task} {record.split}"
        if record.embedded:
            reasons.append(f"{title}: is of the embedded benchmark, which no leaderboard has")
        elif record.subset is not None:
            reasons.append(f"{title}: is of {record.n} of {record.subset.total} samples")
        elif not record.metrics:
            reasons.append(f"{title}: has no metric yet; {', '.join(record.not_run.values())}")
        else:
            chosen.append(record)
    names = sorted({str(record.checkpoint["name"]) for record in chosen})
    if len(names) > 1:
        raise UsageError(
            f"the results are of several checkpoints, {', '.join(names)}, and such a file belongs "
            "to one model; choose one by --checkpoint NAME"
        )
    if not chosen:
        raise DataError("\n  ".join(["there is no result to publish:", *reasons]))
    return chosen, reasons


def notes(record: ResultRecord, metric: str) -> str:
    """Return everything that determined a number, in one line for a leaderboard."""
    parts = [f"{metric} of {record.split}, n = {record.n}"]
    if (interval := record.intervals.get(metric)) is not None:
        parts.append(f"95 % interval {interval.low:.2f} to {interval.high:.2f}")
    parts.append(f"protocol {record.protocol}")
    if dtype := record.settings.get("dtype"):
        parts.append(str(dtype))
    if sha256 := record.checkpoint.get("sha256"):
        parts.append(f"weights {record.checkpoint['name']}, SHA-256 {sha256}")
    if release := record.software.get("xvlm-eval"):
        parts.append(f"xvlm-eval {release}, task version {record.task_version}")
    if "receipt" in record.predictions:
        parts.append("by the benchmark's server")
    return "; ".join(parts)
