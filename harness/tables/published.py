"""Published numbers of any model, with protocol and source (`results/published.yaml`)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import Struct

from harness.checkpoints import entries
from harness.files.parsing import Finite, decode_yaml
from harness.files.paths import shipped_path
from harness.tables.paper import MetricKey, Paper

PAPER_FAMILY = "xvlm"
NOT_STATED = "not stated"
Kind = Literal["paper", "authors' log", "third party"]


class PublishedNumber(NamedTuple):
    """A published number: whose it is, by which protocol, and where it was read.

    `model` is an entry of checkpoints.yaml if `registered`. `protocols` are those of records that
    it can be compared with; `protocol` says it for people.
    """

    model: str
    registered: bool
    key: MetricKey
    value: float
    protocol: str
    protocols: tuple[str, ...]
    source: str
    kind: Kind


class _Block(Struct, frozen=True, forbid_unknown_fields=True):
    model: str
    source: str
    kind: Kind
    protocol: str
    results: dict[str, dict[str, dict[str, Finite]]]
    checkpoint: str | None = None


def published_numbers(paper: Paper) -> list[PublishedNumber]:
    """Return all published numbers: the paper's, those of checkpoints.yaml, then all others.

    A number that several of them hold, by the same source, is returned once.
    """
    numbers = [
        PublishedNumber(
            model=paper.checkpoint_of(row),
            registered=True,
            key=row.measured_by,
            value=float(row.value),
            protocol=_official(paper, row.measured_by)[0],
            protocols=_official(paper, row.measured_by),
            source=paper.source,
            kind="paper",
        )
        for row in paper.rows
    ]
    for entry in entries().values():
        for number in entry.published:
            key = MetricKey(number.task, number.split, number.metric)
            # A protocol that is not stated is the paper's for the paper's family only.
            unstated = _official(paper, key) if entry.family == PAPER_FAMILY else (NOT_STATED,)
            protocols = (number.protocol,) if number.protocol else unstated
            numbers.append(
                PublishedNumber(
                    entry.name, True, key, number.value, protocols[0], protocols,
                    number.source, number.kind,
                )
            )  # fmt: skip
    numbers += [
        PublishedNumber(
            model=block.checkpoint or block.model,
            registered=block.checkpoint is not None,
            key=MetricKey(task, split, metric),
            value=value,
            protocol=block.protocol,
            protocols=(block.protocol, *_official(paper, MetricKey(task, split, metric)))
            if block.checkpoint and block.kind == "paper"
            else (block.protocol,),
            source=block.source,
            kind=block.kind,
        )
        for block in read_published(shipped_path("results/published.yaml"))
        for task, splits in block.results.items()
        for split, metrics in splits.items()
        for metric, value in metrics.items()
    ]
    first: dict[tuple[str, MetricKey, str, str], PublishedNumber] = {}
    for published in numbers:
        identity = (published.model, published.key, published.source, published.protocol)
        first.setdefault(identity, published)
    return list(first.values())


@cache
def read_published(path: Path) -> tuple[_Block, ...]:
    """Read a file of published numbers. Raises DataError, naming file and key, for another one."""
    return tuple(decode_yaml(path, list[_Block]))


def _official(paper: Paper, key: MetricKey) -> tuple[str, ...]:
    """Return the official protocols of a task, or that none is known."""
    official: Mapping[str, object] = paper.official
    return paper.official[key.task].protocols if key.task in official else ("",)
