"""The tables of the report, with links from numbers to their provenance, and missing results."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from harness.rendering import Row, Table, format_cell
from harness.report.section import Section
from harness.tables.layouts import lay_out
from harness.tables.paper import Paper


class Cell(NamedTuple):
    """A cell of a table, with a link to the provenance of its number."""

    text: str
    number: bool
    href: str | None


class PageTable(NamedTuple):
    """A table of the report."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class PageTables(NamedTuple):
    """Tables under a common title, and their name in addresses."""

    slug: str
    title: str
    tables: Sequence[PageTable]


def report_tables(sections: Sequence[Section], paper: Paper) -> tuple[list[PageTables], list[str]]:
    """Return everything, the paper's rows and the leaderboard, and why records are left out."""
    records = [section.record for section in sections]
    everything, printed, leaderboard = (
        lay_out(records, paper, layout, checkpoint=None)
        for layout in ("all", "paper", "leaderboard")
    )
    contents = {
        "all-results": ("All results", [everything.listing]),
        "paper": ("The paper's rows", [printed.listing]),
        "leaderboard": (
            "Leaderboard",
            [table for table in leaderboard.tables if table is not leaderboard.shapes],
        ),
    }
    tables = [
        PageTables(slug, title, [_page_table(table, sections) for table in part])
        for slug, (title, part) in contents.items()
    ]
    reasons = [*printed.left_out, *leaderboard.left_out, *_not_run(sections, printed.listing)]
    return tables, list(dict.fromkeys(reasons))


def _not_run(sections: Sequence[Section], paper: Table) -> list[str]:
    """Return the metrics that could not be computed, and the paper's rows without a result."""
    metrics = [
        f"{section.checkpoint} {section.name}: {metric} is not run: {reason}"
        for section in sections
        for metric, reason in section.record.not_run.items()
    ]
    tasks = [(row["measured_by"]["task"], row["measured"] is None) for row in paper.rows]
    all_rows = Counter(task for task, _ in tasks)
    missing = Counter(task for task, absent in tasks if absent)
    rows = [
        f"{task}: {count} of the paper's {all_rows[task]} rows have no result of its checkpoint, "
        "protocol and official split"
        for task, count in missing.items()
    ]
    return [*metrics, *rows]


def _page_table(table: Table, sections: Sequence[Section]) -> PageTable:
    columns = {
        key: heading
        for key, heading in table.columns.items()
        if key == "measured" or any(row.get(key) is not None for row in table.rows)
    }
    rows = [
        [
            Cell(
                format_cell(key, row.get(key)),
                type(row.get(key)) in (int, float) or key in ("interval", "printed"),
                next(
                    (
                        f"#provenance:{section.slug}"
                        for section in sections
                        if _is_measured_by(section, key, row, table.title)
                    ),
                    None,
                ),
            )
            for key in columns
        ]
        for row in table.rows
    ]
    return PageTable(table.title, list(columns.values()), rows)


def _is_measured_by(section: Section, key: str, row: Row, title: str) -> bool:
    """Return whether a cell holds a number that was measured by the run of a section.

    In a leaderboard, a column is named by split and metric, the table by task and protocol.
    """
    record = section.record
    if row.get("checkpoint") != section.checkpoint:
        return False
    if key == "measured":
        names = {**row, **row.get("measured_by", {})}
        own = (record.task, record.split, record.protocol)
        return (
            row["measured"] is not None
            and own == tuple(names.get(name) for name in ("task", "split", "protocol"))
            and record.metrics.get(names["metric"]) == row["measured"]  # two folders may have it
        )
    split, _, metric = key.rpartition(" ")
    return (
        split == record.split
        and metric in record.metrics
        and title.startswith(f"{record.task}: ")
        and title.endswith(f"protocol {record.protocol}")
    )
