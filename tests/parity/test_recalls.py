"""Recalls of X-VLM's retrieval, against the official `itm_eval`: of both matrices, and of pairs."""

import numpy as np
import pytest

from harness.metrics.pairs import ScoredPairs, shortlist_ranks
from harness.metrics.retrieval import ranks, recalls, summary
from tests.parity.test_retrieval import matches, retriever, texts  # noqa: F401
from tests.support.shortlists import cut_within_ties

KIND = "b_"
OFFICIAL = {"i2t": "txt", "t2i": "img"}


@pytest.fixture
def expected(case):
    """The official metrics of the case's captions."""
    expected = case.json("expected.json")
    if "metrics" not in expected:
        pytest.skip(f"the golden {case.path.name} has no metrics of captions")
    return expected


def test_the_official_matrices_have_the_official_recalls(case, expected):
    """Where the shortlist is shorter than K, any order of the candidates after it is official."""
    image_of, k = np.array(expected["txt2img"]), int(case.config["config"]["k_test"])
    i2t, t2i = (case.outputs[f"score_matrix_{way}"] for way in OFFICIAL)
    texts_of = [np.flatnonzero(image_of == image) for image in range(len(i2t))]
    found = {
        "i2t": recalls(ranks(i2t, texts_of), prefix="i2t"),
        "t2i": recalls(ranks(t2i, image_of[:, None]), prefix="t2i"),
    }
    for way, official in OFFICIAL.items():
        for limit in (limit for limit in (1, 5, 10) if limit <= k):
            value = expected["metrics"][f"{official}_r{limit}"]
            assert found[way][f"{way}_r{limit}"] == pytest.approx(value, abs=1e-9)
    if k >= 10:
        means = summary(found["i2t"], found["t2i"])
        assert means["mean"] == pytest.approx(expected["metrics"]["r_mean"], abs=1e-9)


def test_the_pairs_of_the_model_have_the_official_recalls(
    case,
    expected,
    retriever,  # noqa: F811
    texts,  # noqa: F811
):
    sims, k = case.outputs["sims"], int(case.config["config"]["k_test"])
    if cut_within_ties(sims, k).any() or cut_within_ties(sims.T, k).any():
        return  # torch's topk does not specify which member of a tie is listed
    scored = matches(case, retriever, texts, shortlist=k)
    pairs = ScoredPairs(
        np.concatenate([np.full(len(image.texts), image.image) for image in scored]),
        np.concatenate([image.texts for image in scored]),
        np.concatenate([image.itc for image in scored]),
        np.concatenate([image.itm for image in scored]),
    )
    captions = np.bincount(expected["txt2img"], minlength=len(sims)).tolist()
    found = shortlist_ranks(pairs, captions, shortlist=k)["itm"]
    for way, official in OFFICIAL.items():
        rank, outside = getattr(found, way)
        for limit in (limit for limit in (1, 5, 10) if limit <= k):
            value = expected["metrics"][f"{official}_r{limit}"]
            assert 100 * float((rank < limit).mean()) == pytest.approx(value)
        if len(set(map(tuple, texts))) == len(texts):  # equal captions tie
            listed = np.array(expected[f"rank_{way}"])[~outside]
            assert rank[~outside].tolist() == listed.tolist()


def test_ties_are_ranked_as_by_the_official_code_with_a_stable_sort(case):
    if "synthetic_i2t" not in case.arrays:
        pytest.skip(f"the golden {case.path.name} has no matrix full of ties")
    i2t, t2i = case.arrays["synthetic_i2t"], case.arrays["synthetic_t2i"]
    image_of = np.arange(len(t2i)) // (len(t2i) // len(i2t))
    texts_of = [np.flatnonzero(image_of == image) for image in range(len(i2t))]
    found = {"i2t": ranks(i2t, texts_of), "t2i": ranks(t2i, image_of[:, None])}
    synthetic = case.json("expected.json")["synthetic"]
    assert {way: rank.tolist() for way, rank in found.items()} == synthetic["ranks_stable"]
    if synthetic["ranks_official"] != synthetic["ranks_stable"]:
        return  # made by a processor that sorts ties in another order
    for way, official in OFFICIAL.items():
        for name, value in recalls(found[way], prefix=official).items():
            assert value == pytest.approx(synthetic["metrics_official"][name], abs=1e-9)
