"""docs/data.md agrees with the code: the tree, every file with its source, the hub copies."""

from pathlib import Path, PurePosixPath

from harness.data.layout import layout
from harness.registry import find_task
from tasks import TASKS as NAMES

DOCS = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
TASKS = list(map(find_task, NAMES))


def test_the_tree_is_the_one_that_the_command_prints():
    assert f"```\n{layout(TASKS)}\n```" in DOCS


def test_every_file_is_there_with_its_path_its_name_and_its_source():
    for task in TASKS:
        for split in task.splits:
            for needed in task.files(split):
                assert (
                    needed.candidates[0] in DOCS or PurePosixPath(needed.candidates[0]).name in DOCS
                )
                for name in {PurePosixPath(place).name for place in needed.candidates} - {"images"}:
                    assert (
                        name in DOCS
                        or name.replace("_val", "_{val,test}").replace("_test", "_{val,test}")
                        in DOCS
                    )
                if "X-VLM" not in needed.source:
                    assert needed.source.split(" (")[0].split(", folder")[0] in DOCS


def test_every_copy_on_the_hub_is_there_with_its_revision():
    for task in TASKS:
        copy = task.dataset.hub
        if copy is None:
            assert f"| {task.name} | – |" in DOCS
            continue
        row = next(
            line
            for line in DOCS.splitlines()
            if line.startswith("| ") and f"`{copy.repository}`" in line
        )
        assert f"`{copy.revision}`" in row and task.name in row.split("|")[1]


def test_every_citation_is_there():
    for task in TASKS:
        row = next(line for line in DOCS.splitlines() if task.dataset.citation in line)
        assert task.dataset.citation and task.name in row
