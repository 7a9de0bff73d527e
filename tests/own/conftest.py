"""Own data made of a few images and annotations of the embedded benchmark, and results."""

import json
import shutil
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.images import image_file
from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from tests.support.sharing import shared

COUNT = 6  # samples of each kind
FILES = {
    "grounding": "boxes",
    "vqa": "questions",
    "retrieval": "captions",
    "nlvr2": "pairs",
}


def samples(task, split):
    return find_task(task).load(embedded_data(), split)[:COUNT]


def write(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture(scope="session")
def own(tmp_path_factory) -> Path:
    """A folder of `photos` and of one file of annotations for each kind."""

    def make(root: Path) -> None:
        def photo(view):
            path = image_file(view)
            copy = root / "photos" / path.parent.name / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
            return copy.relative_to(root / "photos").as_posix()

        write(
            root / "boxes.jsonl",
            [
                {"id": f"é{s.id}", "image": photo(s.images[0]), "expression": s.text,
                 "box": list(s.box)}
                for s in samples("refcoco+", "val")
            ],
        )  # fmt: skip
        write(
            root / "questions.jsonl",
            [
                {"image": photo(s.images[0]), "question": s.text, "answer": s.answers[0]["answer"]}
                for s in samples("vqav2", "val")
            ],
        )
        write(
            root / "captions.jsonl",
            [
                {"image": photo(s.images[0]), "captions": list(s.captions)}
                for s in samples("coco-caption", "val")
            ],
        )
        write(
            root / "pairs.jsonl",
            [
                {"images": list(map(photo, s.images)), "statement": s.text, "label": s.label}
                for s in samples("nlvr2", "dev")
            ],
        )
        boxes = [json.loads(line) for line in (root / "boxes.jsonl").read_text().splitlines()]
        hidden = [{key: row[key] for key in ("id", "image", "expression")} for row in boxes]
        write(root / "hidden.jsonl", hidden)

    return shared(tmp_path_factory, "own", make)


def flags(root, kind, name=None):
    file = root / f"{name or FILES[kind]}.jsonl"
    return ["--task", kind, "--annotations", str(file), "--images", str(root / "photos")]


def run(root, kind, out, name=None, *more):
    weights = ["--checkpoint", "xvlm-shapes", "--out", str(out)]
    return main(["run", *flags(root, kind, name), *weights, *more])


@pytest.fixture(scope="session")
def results(own, tmp_path_factory):
    """Runs on all kinds but captions, which Java scores for seconds, and on hidden truths."""

    def make(folder):
        for kind in FILES:
            assert run(own, kind, folder) == 0
        assert run(own, "grounding", folder, "hidden") == 0

    return shared(tmp_path_factory, "own-results", make)
