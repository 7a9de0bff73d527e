"""The site of the documentation: every page is in its navigation, links lead somewhere."""

import re
from importlib.util import module_from_spec, spec_from_file_location
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


def test_the_site_shows_links_and_pipes_of_tables_as_github_does():
    spec = spec_from_file_location("site_links", DOCS / "site_links.py")
    hook = module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = r"| `a\|b` | [x](../tasks) | a \| b |"
    shown = hook.on_page_markdown(page, config={"repo_url": "https://host/name/"})
    assert shown == r"| `a|b` | [x](https://host/name/blob/main/tasks) | a \| b |"
