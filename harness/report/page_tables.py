"""The tables of the report, whose measured numbers lead to what made them, and what is not run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.rendering import Row, Table, format_cell
from harness.report.section import Section
from harness.tables.comparison import display_name
from harness.tables.layouts import lay_out
from harness.tables.paper import Paper

Key = tuple[str, str, str, str]  # checkpoint, task, split, protocol


class Cell(NamedTuple):
    """A cell of a table, and the address of what made its number."""

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
    by_key = {_key(section): section.slug for section in reversed(sections)}
    contents = {
        "all-results": ("All results", [everything.listing]),
        "paper": ("The paper's rows", [printed.listing]),
        "leaderboard": (
            "Leaderboard",
            [table for table in leaderboard.tables if table is not leaderboard.shapes],
        ),
    }
    tables = [
        PageTables(slug, title, [_page_table(table, by_key) for table in part])
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


def _key(section: Section) -> Key:
    record = section.record
    return display_name(record), record.task, record.split, record.protocol


def _page_table(table: Table, by_key: Mapping[Key, str]) -> PageTable:
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
                f"#provenance:{slug}" if slug and key == "measured" else None,
            )
            for key in columns
        ]
        for row in table.rows
        for slug in [_slug(row, by_key)]
    ]
    return PageTable(table.title, list(columns.values()), rows)


def _slug(row: Row, by_key: Mapping[Key, str]) -> str | None:
    """Return the section that a row's measured number comes from."""
    if row.get("measured") is None:
        return None
    names = {**row, **row.get("measured_by", {})}
    return by_key.get(
        (names["checkpoint"], names["task"], names["split"], names.get("protocol", ""))
    )
