"""What a sample looks like: tasks of another package get it for nothing, and can say more."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import sample_view
from harness.cli.main import main
from harness.metrics.grounding import Box
from harness.sample_view import Picture, SampleView
from tasks.refcoco_plus_weak import DetectedExpression, WeakRefCOCOPlus
from tests.support.altered import copied

ROOT = Path(__file__).parents[2]
PIXELS = (100, 50)


def code(page: str) -> str:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)
    return block


@pytest.fixture
def photos():
    """The module of docs/adding-a-task.md."""
    module = {"__name__": "photos"}
    exec(code("adding-a-task.md"), module)
    return SimpleNamespace(**module)


@pytest.fixture
def sample(photos):
    box = photos.Box(10, 20, 30, 10)
    return photos.Expression(1, (Path("a.jpg"),), text="the cup", box=box, size=PIXELS)


def test_a_task_that_says_nothing_shows_images_texts_and_predictions(photos, sample):
    assert photos.Photos().view(sample, [0.5, 0.5, 0.25, 1.0]) == SampleView(
        pictures=(Picture(Path("a.jpg")),), texts=("the cup",), prediction="[0.5, 0.5, 0.25, 1.0]"
    )


def test_the_view_of_the_page_shows_both_boxes_in_pixels(photos, sample):
    module = {**vars(photos), **vars(sample_view)}
    exec(code("looking.md"), module)
    view = module["view"](photos.Photos(), sample, [0.5, 0.5, 0.25, 1.0])
    assert [(box.role, tuple(box.box)) for box in view.pictures[0].boxes] == [
        ("truth", (10, 20, 30, 10)),
        ("prediction", (37.5, 0.0, 25.0, 50.0)),
    ]
    assert len(module["view"](photos.Photos(), sample, None).pictures[0].boxes) == 1


def test_a_task_whose_view_fails_is_shown_plainly_with_the_reason(tmp_path, monkeypatch):
    from harness.data.resolve import Embedded
    from harness.records.stored import find_results
    from harness.running.stored.samples import StoredSamples
    from tasks.nlvr2 import NLVR2

    def broken(self, sample, prediction):
        raise KeyError("box")

    monkeypatch.setattr(NLVR2, "view", broken)
    results = copied(ROOT / "results", tmp_path, "nlvr2.dev")
    (result,) = find_results(results).results
    view = StoredSamples(result, Embedded())[0].view
    assert view.texts == ("The right image contains a green object.",)
    assert view.details[-1].items[0].text == "KeyError: 'box'"


def test_a_record_of_a_task_that_is_not_installed_is_shown_without_annotations(tmp_path, capsys):
    results = copied(ROOT / "results", tmp_path, "nlvr2.dev")
    path = results / "xvlm-shapes" / "nlvr2.dev.json"
    text = path.read_text().replace('"task": "nlvr2"', '"task": "winoground"')
    path.unlink()
    for suffix in (".contributions.npz", ".predictions.jsonl.gz"):
        path.with_suffix(suffix).rename(path.with_name(f"winoground.dev{suffix}"))
    path.with_name("winoground.dev.json").write_text(text)
    report = tmp_path / "report.html"
    assert main(["show", str(results)]) == 0
    assert "no images, texts or truths are shown" in capsys.readouterr().err
    assert main(["report", str(results), "--out", str(report)]) == 0
    assert "winoground dev" in report.read_text()


def test_a_chosen_detection_stands_among_all_of_them():
    expression = DetectedExpression(
        **{"id": 1, "images": (Path("a.jpg"),), "text": "cup", "image": "a.jpg", "ref_id": 0},
        **{"image_id": 1, "box": Box(1, 2, 3, 4), "width": 10, "height": 10},
        detections=(Box(1, 2, 3, 3), Box(5, 5, 2, 2)),
    )
    task = WeakRefCOCOPlus()
    boxes = task.view(expression, [5.0, 5.0, 2.0, 2.0]).pictures[0].boxes
    assert [(box.role, box.box) for box in boxes] == [
        ("detection", (1.0, 2.0, 3.0, 3.0)),
        ("detection", (5.0, 5.0, 2.0, 2.0)),
        ("truth", (1.0, 2.0, 3.0, 4.0)),
        ("prediction", (5.0, 5.0, 2.0, 2.0)),
    ]
    assert task.view(expression, None).prediction == "no box"
