"""Recalls, against the official `itm_eval`."""

import numpy as np
import pytest

from harness.metrics.retrieval import ranks, recalls, summary

KIND = "retrieval_eval"
OFFICIAL = {"txt": "i2t", "img": "t2i"}


def matrices(case):
    """Name, scores and truths in both directions, and expected values of every matrix."""
    expected = case.json("expected.json")["cases"]
    names = sorted(path.name.removesuffix(".meta.json") for path in case.path.glob("*.meta.json"))
    assert names
    for name in names:
        meta = case.json(f"{name}.meta.json")
        i2t, t2i = (np.load(case.path / f"{name}.{way}.npy") for way in ("i2t", "t2i"))
        yield (
            name,
            i2t,
            t2i,
            meta["img2txt"],
            [[image] for image in meta["txt2img"]],
            expected[name],
        )


def test_recalls_are_the_official_ones_or_lie_within_what_ties_allow(case):
    for name, i2t, t2i, img2txt, txt2img, expected in matrices(case):
        recall = {
            **recalls(ranks(i2t, img2txt), prefix="i2t"),
            **recalls(ranks(t2i, txt2img), prefix="t2i"),
        }
        for key, value in expected["official"].items():
            way, _, k = key.partition("_")
            if not k.startswith("r") or k == "r_mean" or way not in OFFICIAL:
                continue
            mine = recall[f"{OFFICIAL[way]}_{k}"]
            if expected["recalls_order_independent"][key]:
                assert mine == pytest.approx(value, abs=1e-9), (name, key)
            low, high = sorted((expected["ties_for"][key], expected["ties_against"][key]))
            assert low - 1e-9 <= mine <= high + 1e-9, (name, key)


def test_ties_are_broken_as_by_the_official_code_where_its_sort_is_stable(case):
    for name, i2t, t2i, img2txt, txt2img, expected in matrices(case):
        if expected.get("same_on_all_cpus"):
            recall = {
                **recalls(ranks(i2t, img2txt), prefix="i2t"),
                **recalls(ranks(t2i, txt2img), prefix="t2i"),
            }
            assert recall["i2t_r1"] == pytest.approx(expected["official"]["txt_r1"], abs=1e-9), name


def test_ranks_and_means_are_the_official_ones_without_ties(case):
    for name, i2t, t2i, img2txt, txt2img, expected in matrices(case):
        if not expected["order_independent"]:
            continue
        assert ranks(i2t, img2txt).tolist() == expected["i2t_rank_of_best"], name
        assert ranks(t2i, txt2img).tolist() == expected["t2i_rank"], name
        means = summary(
            recalls(ranks(i2t, img2txt), prefix="i2t"), recalls(ranks(t2i, txt2img), prefix="t2i")
        )
        official = expected["official"]
        for mine, theirs in {
            "i2t_mean": "txt_r_mean",
            "t2i_mean": "img_r_mean",
            "mean": "r_mean",
        }.items():
            assert means[mine] == pytest.approx(official[theirs], abs=1e-9), name
