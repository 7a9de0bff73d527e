"""The site of the documentation: every page is in its navigation, links lead somewhere."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages(navigation):
    for entry in navigation:
        for content in entry.values():
            yield from [content] if isinstance(content, str) else pages(content)


def test_the_navigation_names_every_page_once():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(pages(site["nav"])) == sorted(path.name for path in DOCS.glob("*.md"))


def test_the_first_page_leads_to_every_other():
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "index.md").read_text()))
    assert linked == {path.name for path in DOCS.glob("*.md")} - {"index.md"}


def test_links_out_of_the_documentation_name_files_that_exist():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(\.\./([^)#]*)", page.read_text()):
            assert (ROOT / target).exists(), f"{page.name}: ../{target}"
