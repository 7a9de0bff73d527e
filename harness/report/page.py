"""The report as one HTML file: no network, no framework, no script but its own.

The Content-Security-Policy names the hash of the one script and of the one style sheet, so nothing
that data could smuggle in would run; data reach the page escaped all the same.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from harness.data.result_sources import ResultSource
from harness.records.provenance import release
from harness.records.stored import StoredResult, StoredResults
from harness.registry import official_counts
from harness.report.content import build_section, first_cards, in_order, script_json, slugs
from harness.report.gallery import FIRST, cards, embed_pictures
from harness.report.page_tables import PageTables, report_tables
from harness.report.section import Section
from harness.report.thumbnails import Thumbnails
from harness.tables.paper import read_paper

ASSETS = Path(__file__).parent / "assets"
CARDS_SHARE = 0.6  # of the room beside the tables; pictures get the rest


class Budget(NamedTuple):
    """How many pictures are embedded, and how large the file may become, in bytes."""

    images: int
    size: int


class Report(NamedTuple):
    """The page, and sentences about the samples and pictures that were cut from it."""

    html: str
    notes: Sequence[str]


def build_report(
    found: Sequence[StoredResults],
    *,
    source: ResultSource,
    baseline: Sequence[StoredResult],
    budget: Budget,
) -> Report:
    """Return the report of the results that were found in folders, with what was left out."""
    results = in_order([result for part in found for result in part.results])
    paper = read_paper(official_counts())
    sections = [
        build_section(slug, result, source=source, baseline=baseline, paper=paper)
        for slug, result in zip(slugs(results), results, strict=True)
    ]
    tables, reasons = report_tables(sections, paper)
    reasons = [*(reason for part in found for reason in part.left_out), *reasons]
    page = _Page(sections, tables, reasons, compared=bool(baseline))
    room = budget.size - len(to_bytes(page.render(Thumbnails(0, 0), [])))
    while True:
        thumbnails = Thumbnails(budget.images, int(max(room, 0) * (1 - CARDS_SHARE)))
        orders = [(section.samples, iter(section.order)) for section in sections]
        embed_pictures(orders, thumbnails)
        cut = _fill(sections, thumbnails, room=int(max(room, 0) * CARDS_SHARE))
        cut += _picture_notes(sections, thumbnails, budget)
        html = page.render(thumbnails, cut)
        excess = len(to_bytes(html)) - budget.size
        if excess <= 0 or room <= 0:
            break
        room -= excess + budget.size // 100  # the first samples stand in the page twice
    if excess > 0:
        cut.append(f"the tables and figures alone take {len(to_bytes(html)) / 1e6:.1f} MB")
    return Report(html, cut)


def to_bytes(html: str) -> bytes:
    """Return a page as a file holds it; half of a surrogate pair becomes a question mark."""
    return html.encode("utf-8", "replace")


def _fill(sections: Sequence[Section], thumbnails: Thumbnails, *, room: int) -> list[str]:
    """Fill the galleries, each with its share of the room; return what did not fit."""
    cut = []
    for number, section in enumerate(sections):
        share = room // (len(sections) - number)
        section.cards = cards(
            section.samples, section.order, thumbnails, changes=section.changes, room=share
        )
        room -= len(script_json(section.cards).encode())
        section.static = first_cards(section, FIRST)
        if len(section.cards) < len(section.samples):
            cut.append(
                f"{section.name}: {len(section.cards):,} of {len(section.samples):,} samples "
                "are in the gallery; --max-size makes room for more"
            )
    return cut


def _picture_notes(
    sections: Sequence[Section], thumbnails: Thumbnails, budget: Budget
) -> list[str]:
    """Return sentences on the pictures that are not embedded."""
    notes = []
    files = {
        thumbnails.key_of(view)
        for section in sections
        for sample in section.samples.annotations
        for view in sample.images
    }
    embedded = len(thumbnails.by_file)
    if not budget.images:
        notes.append("no pictures are embedded (--no-images)")
    elif embedded + len(thumbnails.missing) < len(files):
        notes.append(
            f"{embedded:,} of {len(files):,} pictures are embedded; "
            "--images and --max-size make room for more"
        )
    if thumbnails.missing:
        first = next(iter(thumbnails.missing.values()))
        notes.append(f"{len(thumbnails.missing):,} pictures cannot be read: {first}")
    return notes


@dataclass(frozen=True)
class _Page:
    sections: Sequence[Section]
    tables: Sequence[PageTables]
    reasons: Sequence[str]
    compared: bool

    def render(self, thumbnails: Thumbnails, notes: Sequence[str]) -> str:
        """Return the page with what the sections hold by now."""
        script, style = (_asset(name) for name in ("report.js", "report.css"))
        addresses = {image.key: image.address for image in thumbnails.by_file.values()}
        checkpoints = dict.fromkeys(section.checkpoint for section in self.sections)
        return _template().render(
            title="xvlm-eval report",
            subtitle=_subtitle(len(self.sections), list(checkpoints)),
            policy=_policy(script, style),
            style=Markup(style),
            script=Markup(script),
            sections=self.sections,
            cards_json=[Markup(script_json(section.cards)) for section in self.sections],
            tables=self.tables,
            reasons=self.reasons,
            notes=notes,
            addresses=addresses,
            images_json=Markup(script_json(addresses)),
            compared=self.compared,
            published=any(section.published for section in self.sections),
            footer=f"xvlm-eval {release() or ''}; this file needs no network",
        )


def _subtitle(results: int, checkpoints: Sequence[str]) -> str:
    names = ", ".join(checkpoints[:6]) + (", …" if len(checkpoints) > 6 else "")
    count = "1 result" if results == 1 else f"{results} results"
    return f"{count} of {names}" if results else "no results"


@cache
def _template() -> Template:
    """Return the compiled template: a page is rendered at least twice, to know its size."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Return the policy that allows this script, this style sheet, embedded pictures, no more."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, style)
    ]
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'"
    )
