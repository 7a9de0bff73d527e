"""The folder tree that the tasks read, drawn from what they say they need."""

from collections.abc import Sequence

from harness.checkpoints import BERT, PAPER, entries
from harness.task import Task

Tree = dict[str, "Tree"]
NOTES = {  # what the names do not tell
    "images": "JPEG files as they come in the archives; NLVR2's are called PNG",
    "checkpoints": "the authors' weights, by their own names (checkpoints.yaml)",
    BERT: "the vocabulary, 30,522 pieces",
}


def layout(tasks: Sequence[Task], *, weights: bool = True) -> str:
    """Return the best places of everything that these tasks need, as a tree below DATA."""
    places: dict[str, None] = {}
    for task in tasks:
        for split in task.splits:
            for needed in task.files(split):
                if not needed.optional:
                    places[needed.candidates[0] + ("/" if needed.folder else "")] = None
    if weights:
        files = entries()[PAPER].files
        places |= {
            f"checkpoints/{PAPER}/{files[task.name].path}": None
            for task in tasks
            if task.name in files
        }
        places[f"{BERT}/vocab.txt"] = None
    tree: Tree = {}
    for place in sorted(places):
        branch = tree
        for part in place.rstrip("/").split("/")[:-1]:
            branch = branch.setdefault(f"{part}/", {})
        branch.setdefault(
            place.rstrip("/").split("/")[-1] + ("/" if place.endswith("/") else ""), {}
        )
    return "\n".join(["DATA/", *_drawn(tree, "")])


def _drawn(tree: Tree, margin: str) -> list[str]:
    lines: list[str] = []
    for number, (name, branch) in enumerate(tree.items(), start=1):
        last = number == len(tree)
        note = NOTES.get(name.rstrip("/")) if not margin else None
        line = f"{margin}{'└── ' if last else '├── '}{name}"
        lines += [
            f"{line:<36}{note}" if note else line,
            *_drawn(branch, margin + ("    " if last else "│   ")),
        ]
    return lines
