"""BLEU of captions without a match has no derivative: what follows from it is unknown, not 0."""

import json

import pytest

from harness.cli.main import main
from harness.shapes.benchmark import embedded_data

CAPTIONS = {  # pairs, but no three or four words, are those of a reference
    "before": ("a star sky", "red thing"),
    "after": ("the star", "red moons"),
}
REFERENCES = (["the star", "a star"], ["the moon", "a moon"])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of two runs, and what was printed with each command."""
    root = tmp_path_factory.mktemp("captions")
    images = sorted((embedded_data().root / "images" / "coco" / "val2014").iterdir())[:2]
    lines = [
        {"id": number, "image": image.name, "captions": captions}
        for number, (image, captions) in enumerate(zip(images, REFERENCES, strict=True))
    ]
    annotations = root / "annotations.jsonl"
    annotations.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ["--task", "caption", "--annotations", str(annotations)]
    flags += ["--images", str(images[0].parent), "--checkpoint", "mine"]
    for name, captions in CAPTIONS.items():
        lines = [{"id": number, "caption": caption} for number, caption in enumerate(captions)]
        path = root / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        score = ["score", *flags, "--predictions", str(path), "--out", str(root / name)]
        assert main(score) == 0
    return root


def test_check_leaves_open_what_it_does_not_know(results, capsys, recwarn):
    check = ["check", str(results / "after"), "--baseline", str(results / "before")]
    main([*check, "--format", "json"])
    cells = {cell["metric"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert cells["bleu4"]["difference"] > 0 and cells["bleu4"]["verdict"] == "same"
    assert (cells["bleu4"]["interval"], cells["bleu4"]["detectable"]) == (None, None)
    assert cells["bleu4"]["no_worse"] is False  # not proven
    assert cells["bleu1"]["interval"] is not None
    assert not recwarn.list


def test_power_names_no_drop_that_it_does_not_know(results, capsys, recwarn):
    assert main(["power", "--baseline", str(results / "before"), "--format", "json"]) == 0
    drops = {drop["metric"]: drop for drop in json.loads(capsys.readouterr().out)["metrics"]}
    kinds = ("alone", "among", "restless")
    assert {drops["bleu4"][kind] for kind in kinds} == {None}
    assert drops["bleu4"]["unprovable"] == []
    assert drops["bleu1"]["unprovable"] == list(kinds)  # known: two captions are too few
    assert not recwarn.list
