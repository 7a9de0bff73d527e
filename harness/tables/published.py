"""Published numbers of any model, with protocol and source (`results/published.yaml`)."""

from collections.abc import Iterator, Mapping
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

    `model` is an entry of checkpoints.yaml if `registered`. Records by one of the `protocols` are
    compared with the number; `protocol` is the one that a table shows.
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

    def numbers(self) -> Iterator[tuple[MetricKey, float]]:
        """Yield what each number measures, and the number."""
        for task, splits in self.results.items():
            for split, metrics in splits.items():
                for metric, value in metrics.items():
                    yield MetricKey(task, split, metric), value


def published_numbers(paper: Paper) -> list[PublishedNumber]:
    """Return all published numbers: the paper's, those of checkpoints.yaml, then all others.

    A number that several of them hold, by the same source, is returned once.
    """
    first: dict[tuple[str, MetricKey, str, str], PublishedNumber] = {}
    for published in (*_of_paper(paper), *_of_entries(paper), *_of_others(paper)):
        identity = (published.model, published.key, published.source, published.protocol)
        first.setdefault(identity, published)
    return list(first.values())


def _of_paper(paper: Paper) -> Iterator[PublishedNumber]:
    """Yield the numbers of the paper's rows."""
    for row in paper.rows:
        protocols = _official(paper, row.measured_by)
        yield PublishedNumber(
            model=paper.checkpoint_of(row),
            registered=True,
            key=row.measured_by,
            value=float(row.value),
            protocol=protocols[0],
            protocols=protocols,
            source=paper.source,
            kind="paper",
        )


def _of_entries(paper: Paper) -> Iterator[PublishedNumber]:
    """Yield the numbers in checkpoints.yaml and in files like it.

    A protocol that is not stated there is the paper's for the paper's family only.
    """
    for entry in entries().values():
        for number in entry.published:
            key = MetricKey(number.task, number.split, number.metric)
            unstated = _official(paper, key) if entry.family == PAPER_FAMILY else (NOT_STATED,)
            protocols = (number.protocol,) if number.protocol else unstated
            yield PublishedNumber(
                model=entry.name,
                registered=True,
                key=key,
                value=number.value,
                protocol=protocols[0],
                protocols=protocols,
                source=number.source,
                kind=number.kind,
            )


def _of_others(paper: Paper) -> Iterator[PublishedNumber]:
    """Yield the numbers in `results/published.yaml`.

    A paper's own number for an entry of checkpoints.yaml also compares with the official protocols.
    """
    for block in read_published(shipped_path("results/published.yaml")):
        also_official = block.checkpoint is not None and block.kind == "paper"
        for key, value in block.numbers():
            yield PublishedNumber(
                model=block.checkpoint or block.model,
                registered=block.checkpoint is not None,
                key=key,
                value=value,
                protocol=block.protocol,
                protocols=(block.protocol, *(_official(paper, key) if also_official else ())),
                source=block.source,
                kind=block.kind,
            )


@cache
def read_published(path: Path) -> tuple[_Block, ...]:
    """Read a file of published numbers. Raises DataError, naming file and key, for another one."""
    return tuple(decode_yaml(path, list[_Block]))


def _official(paper: Paper, key: MetricKey) -> tuple[str, ...]:
    """Return the official protocols of a task, or that none is known."""
    official: Mapping[str, object] = paper.official
    return paper.official[key.task].protocols if key.task in official else ("",)
