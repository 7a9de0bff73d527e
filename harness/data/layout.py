"""Draw the data folder that the tasks read, as a tree."""

from collections.abc import Sequence

from harness.checkpoints import BERT, PAPER, VOCABULARY, entries
from harness.task import Task

Tree = dict[str, "Tree"]


def layout(tasks: Sequence[Task]) -> str:
    """Return the preferred paths of the files and weights that these tasks need, as a tree."""
    paths = {
        needed.candidates[0] + ("/" if needed.folder else "")
        for task in tasks
        for split in task.splits
        for needed in task.files(split)
        if not needed.optional
    }
    files = entries()[PAPER].files
    paths |= {
        f"checkpoints/{PAPER}/{files[task.name].path}" for task in tasks if task.name in files
    }
    paths |= set(VOCABULARY.members.values())
    tree: Tree = {}
    for path in sorted(paths):
        branch = tree
        *folders, name = path.rstrip("/").split("/")
        for folder in folders:
            branch = branch.setdefault(f"{folder}/", {})
        branch.setdefault(name + ("/" if path.endswith("/") else ""), {})
    return "\n".join(["DATA/", *_lines(tree, _notes(tasks))])


def _notes(tasks: Sequence[Task]) -> dict[str, str]:
    """Return the notes on the top folders, by name."""
    exceptions = filter(None, dict.fromkeys(task.dataset.image_note for task in tasks))
    return {
        "images": "; ".join(["JPEG files as they come in the archives", *exceptions]),
        "checkpoints": "the authors' weights, by their own names (checkpoints.yaml)",
        BERT: "the vocabulary, 30,522 pieces",
    }


def _lines(tree: Tree, notes: dict[str, str], margin: str = "") -> list[str]:
    lines: list[str] = []
    for number, (name, branch) in enumerate(tree.items(), start=1):
        last = number == len(tree)
        line = f"{margin}{'└── ' if last else '├── '}{name}"
        note = notes.get(name.rstrip("/"))
        lines.append(f"{line:<36}{note}" if note else line)
        lines += _lines(branch, {}, margin + ("    " if last else "│   "))
    return lines
