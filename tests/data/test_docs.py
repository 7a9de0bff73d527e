"""docs/data.md says what the code does: the tree, every file with its places and source, and the pinned copies."""

from pathlib import Path, PurePosixPath

from harness.data.hub.copies import COPIES, UNUSABLE
from harness.data.layout import layout
from harness.data.published import FILES
from harness.registry import find_task, task_names

DOCS = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
TASKS = [find_task(name) for name in task_names()]


def test_the_tree_is_the_one_that_the_command_prints():
    assert f"```\n{layout(TASKS)}\n```" in DOCS


def test_every_file_is_there_with_its_best_place_its_name_and_where_it_comes_from():
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
    for task, copy in COPIES.items():
        row = next(
            line
            for line in DOCS.splitlines()
            if line.startswith("| ") and f"`{copy.repository}`" in line
        )
        assert f"`{copy.revision}`" in row and task in row.split("|")[1]
    for task in UNUSABLE:
        assert f"| {task} | – |" in DOCS


def test_every_published_hash_is_of_a_file_that_some_task_or_vocabulary_needs():
    names = {
        PurePosixPath(place).name
        for task in TASKS
        for split in task.splits
        for needed in task.files(split)
        for place in needed.candidates
    }
    assert set(FILES) <= names | {"vocab.txt"}
