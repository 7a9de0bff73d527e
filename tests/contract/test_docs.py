"""README.md, CONTRIBUTING.md and docs/ are true: commands, flags, paths, links and numbers."""

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from harness.cli.main import parser
from harness.registry import official_counts
from harness.tables.paper import read_paper
from tests.contract.test_imports import FLOORS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
CURRENT = [path for path in PAGES if path.name != "CHANGELOG.md"]  # which tells of the past
FOREIGN = re.compile(r"#SBATCH.*|torchrun\b.*?--no-python|\bsrun\b|pip install.*")
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
every_current_page = pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.name)


def flags_by_verb() -> dict[str, set[str]]:
    """Return the flags of each verb, `--help` included."""
    (verbs,) = (
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return {
        verb: {flag for action in sub._actions for flag in action.option_strings}
        for verb, sub in verbs.choices.items()
    }


FLAGS = flags_by_verb()
GENERAL = {"--help", "--debug", "--version"}


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield (verb, rest of the line) of each `xvlm-eval VERB ...`, continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        for match in re.finditer(r"(?<!\")xvlm-eval ([a-z][\w-]*)([^`#|\n]*)", line):
            yield match[1], match[2]


def flags(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(text: str) -> list[str]:
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return re.findall(r"^#+ (.*)$", without_code, flags=re.M)


@every_current_page
def test_every_command_exists_and_takes_its_flags(path):
    text = path.read_text(encoding="utf-8")
    for verb, rest in commands(text):
        assert verb in FLAGS
        assert flags(rest) <= FLAGS[verb], f"xvlm-eval {verb}{rest}"


@every_current_page
def test_every_flag_is_one_of_some_command(path):
    text = FOREIGN.sub("", path.read_text(encoding="utf-8").replace("\\\n", " "))
    text = re.sub(r"git [^`\n]*|--rdzv-[a-z]*", "", text)
    assert flags(text) <= set.union(*FLAGS.values(), GENERAL)


@pytest.mark.parametrize("verb", FLAGS)
def test_the_reference_of_commands_lists_every_flag_of_a_verb(verb):
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {verb}\n")[1], maxsplit=1, flags=re.M)[0]
    assert FLAGS[verb] - GENERAL - {"-h"} == flags(section) & FLAGS[verb] - GENERAL
    assert f"](#{verb})" in text and f"`xvlm-eval {verb}`" in README


def test_every_path_in_the_tree_exists_and_every_folder_is_in_it():
    (tree,) = re.findall(r"^```\n(checkpoints\.yaml .*?)^```", README, flags=re.M | re.S)
    folders, listed = [], set()
    for line in tree.splitlines():
        indent, name = re.match(r"((?:│   )*(?:[├└]── )?)(\S+)", line).groups()
        depth = len(indent) // 4
        folders[depth:] = [name.rstrip("/")]
        path = ROOT.joinpath(*folders)
        assert path.is_dir() if name.endswith("/") else path.is_file(), path
        listed.add(path.relative_to(ROOT).as_posix())
    packages = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("harness/*/*.py")}
    assert packages <= listed


@every_page
def test_every_internal_link_resolves(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        name, _, part = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        if part:
            anchors = map(anchor, headings(linked.read_text(encoding="utf-8")))
            assert part in anchors, target


@every_page
def test_every_row_of_a_table_has_the_cells_of_its_head(path):
    """GitHub ends a cell at a pipe, also in code, unless a backslash is before it."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        head, *rows = (len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines())
        assert set(rows) == {head}, table


@every_current_page
def test_every_path_of_the_repository_exists(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:harness|tasks|tests|docs|results)/[\w./+-]*)`", text):
        assert (ROOT / name).exists(), name


@every_current_page
def test_every_module_and_name_in_it_exists(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"(?:`|-m )((?:harness|tasks|tests)(?:\.\w+)+)", text):
        parts = name.split(".")
        paths = [ROOT.joinpath(*parts[:end]) for end in range(len(parts) + 1)]
        modules = [p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for p in paths]
        found = [(end, module) for end, module in enumerate(modules) if module.is_file()]
        assert found, name
        end, module = found[-1]
        files = [module]
        if module.name == "__init__.py":  # a folder offers names of the files in it
            folder = import_module(".".join(parts[:end]))
            assert all(hasattr(folder, member) for member in parts[end : end + 1]), name
            files = sorted(module.parent.glob("*.py"))
        source = "\n".join(file.read_text(encoding="utf-8") for file in files)
        for member in parts[end:]:
            definition = rf"^\s*(?:class|def) {member}\b|^{member}\b"
            assert re.search(definition, source, flags=re.M), name


def test_the_commands_without_make_are_those_of_the_makefile_that_ci_calls():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    def recipe(target: str) -> list[str]:
        lines = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, flags=re.M)[0].splitlines()
        return [line.strip().replace("$(BIN)", ".venv/bin") for line in lines]

    for command in (*recipe("demo"), *recipe("test")):
        assert f"\n{command.removesuffix(' --fresh')}\n" in README
    called = re.findall(r"^make .*$", (ROOT / ".ci" / "run").read_text(), flags=re.M)
    assert called == ["make lint", "make test", "make check"]
    assert all(f"\n{command} " in README for command in called)


def test_the_rows_of_the_demo_are_those_of_the_baseline():
    rows = re.findall(r"^xvlm-shapes .*$", README, flags=re.M)
    assert len(rows) == 8
    for row in rows:
        checkpoint, task, split, metric, measured, low, _, high, n = row.split()
        path = ROOT / "results" / checkpoint / f"{task}.{split}.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        shown = [record["metrics"][metric], *record["intervals"][metric]]
        assert [f"{number:.2f}" for number in shown] == [measured, low, high]
        assert record["n"] == int(n)


def test_the_published_numbers_are_those_of_the_paper():
    printed: dict[str, set[str]] = {}
    for row in read_paper(official_counts()).rows:
        printed.setdefault(row.measured_by.task, set()).add(row.value)
    for task, values in printed.items():
        (row,) = re.findall(rf"^\| `{re.escape(task)}` \|.*$", README, flags=re.M)
        cell = re.sub(r"R@1|BLEU-4|4M", "", row.split("|")[4])
        numbers = re.findall(r"[\d.]+", cell)
        assert numbers and set(numbers) <= values


def test_contributing_lists_the_folders_in_the_order_of_their_imports():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    floors = re.findall(r"^\d+\. (`harness/.*(?:\n   .*)*)", text, flags=re.M)
    named = [set(re.findall(r"`(?:harness/)?(\w+)(?:\.py)?`", floor)) for floor in floors]
    assert named == [set(floor) for floor in FLOORS]


def test_licence_version_and_citation_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["license"] == project["license"] == "BSD-3-Clause"
    assert citation["version"] == project["version"]
    assert f"\n## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["authors"][0]["name"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


@every_page
def test_no_page_names_a_path_of_one_machine(path):
    assert not re.findall(r"(?<![\w.])/(?:work|home|root|tmp|Users)/", path.read_text())
