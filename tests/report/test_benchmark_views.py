"""What samples of the seven benchmarks look like: those of the committed results."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli.main import main
from tasks.retrieval_view import Gallery

RESULTS = Path(__file__).parents[2] / "results"


def shown(capsys, *arguments) -> dict:
    assert main(["show", *map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_task_of_the_embedded_benchmark_has_a_view(capsys):
    results = {
        (part["task"], part["split"]): part
        for part in shown(capsys, RESULTS, "--limit", "2")["results"]
    }
    assert len(results) == 15 and not any(part["problems"] for part in results.values())
    views = {key: part["samples"][1] for key, part in results.items()}
    question = views["vqav2", "val"]
    assert (question["texts"], question["truth"]) == (["What shape is the red object?"], "square")
    assert question["details"][0]["items"][0] == {
        **{"text": "square (9 people)", "score": 100.0, "right": True},
    }
    assert views["vqav2", "test"]["truth"] is None
    pair = views["nlvr2", "dev"]
    assert [picture["label"] for picture in pair["pictures"]] == ["left", "right"]
    assert 0.5 <= pair["confidence"] <= 1.0
    caption = views["coco-caption", "test"]
    assert len(caption["details"][0]["items"]) == 5
    image = views["coco-retrieval", "test"]
    assert image["details"][0]["title"].endswith("the first of its own: rank 1")
    assert len(image["details"][0]["items"]) == 10
    box = views["ovad", "box"]
    right = [item["text"] for item in box["details"][0]["items"] if item["right"]]
    assert sorted(right) == sorted(box["truth"].split(", "))


def test_the_rank_that_is_shown_is_the_one_that_is_scored(capsys):
    part = shown(capsys, RESULTS / "xvlm-shapes" / "coco-retrieval.test.json", "--limit", "100")[
        "results"
    ][0]
    for sample in part["samples"]:
        first = sample["details"][0]["title"].endswith("of its own: rank 1")
        assert first == (sample["scores"]["i2t_r1"] == 100.0) == (not sample["wrong"])
        ranked = [item["right"] for item in sample["details"][1]["items"]]
        assert 100 * ranked.count(True) / len(ranked) == pytest.approx(sample["scores"]["t2i_r1"])


@pytest.mark.parametrize(
    ("ranking", "red", "green"),
    [
        ("itm", "outside of the shortlist, after b, c", "rank 2, after c"),
        ("itm+itc", "outside of the shortlist, after b, c", "rank 2, after c"),
        ("itc", "outside of the shortlist, after c, b", "rank 1"),
    ],
)
def test_a_caption_names_the_images_that_it_retrieves_before_its_own(ranking, red, green):
    itc = {"a": [0.1, 0.2, 0.1], "b": [0.2, 0.2, 0.3], "c": [0.3, 0.0, 0.2]}
    itm = {"a": [0.5, 0.1, 0.2], "b": [0.9, 0.1, 0.3], "c": [0.6, 0.0, 0.45]}
    predictions = {
        name: {"texts": [0, 1, 2], "itc": itc[name], "itm": itm[name], "ranking": ranking}
        for name in "abc"
    }
    captions = {"a": ("red", "blue"), "b": ("green",), "c": ()}
    samples = [
        SimpleNamespace(id=name, images=(Path(name),), captions=texts)
        for name, texts in captions.items()
    ]
    gallery = Gallery(samples, predictions, shortlist=2)
    shown = [item.text for name in "ab" for item in gallery.view(name).details[1].items]
    # Of equal scores, the later image comes first.
    assert shown == [f"red ({red})", "blue (rank 2, after b)", f"green ({green})"]
