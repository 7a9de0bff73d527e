"""Per-sample scores on disk: equal content is equal bytes, and any other file is refused."""

import json

import numpy as np
import pytest

from harness.errors import DataError
from harness.records.sample_scores import (
    SUFFIX,
    SampleScores,
    digest,
    read_sample_scores,
    write_sample_scores,
)
from harness.statistics.means import Mean, MeanOfMeans, mean_of, means_of_parts
from tests.support.altered import CHECKPOINT

ACCURACY = mean_of([100.0, 0.0, 100.0], clusters="aab")
CONTENT = SampleScores(
    ids=["a", 2, "ü"],
    digests=np.array([1, 2, 2**64 - 1], dtype=np.uint64),
    by_sample={"accuracy": np.array([100.0, 0.0, 100.0])},
    statistics={
        "accuracy": ACCURACY,
        "mean": MeanOfMeans((ACCURACY, mean_of([0.0, 30.0], clusters="ab"))),
    },
)


def test_sample_scores_come_back_as_they_were_written(tmp_path):
    path = tmp_path / f"r{SUFFIX}"
    write_sample_scores(path, CONTENT)
    scores = read_sample_scores(path)
    assert list(scores.ids) == ["a", 2, "ü"] and scores.digests.tolist() == [1, 2, 2**64 - 1]
    assert scores.statistics.keys() == {"accuracy", "mean"}
    for name, statistic in scores.statistics.items():
        assert type(statistic) is type(CONTENT.statistics[name])
        assert statistic.each().tolist() == CONTENT.statistics[name].each().tolist()
        assert (
            statistic.resampled().rows.tolist()
            == CONTENT.statistics[name].resampled().rows.tolist()
        )


def test_the_same_sample_scores_are_the_same_bytes(tmp_path):
    for name in "ab":
        write_sample_scores(tmp_path / name, CONTENT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_predictions_have_the_same_digest_only_if_they_are_the_same():
    assert digest([0.1, 0.25]) == digest([0.1, 0.25]) != digest([0.1, 0.25000001])
    assert digest(True) != digest(1) != digest("1")


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -30])
def test_a_damaged_file_is_refused(tmp_path, cut):
    path = tmp_path / "r.npz"
    write_sample_scores(path, CONTENT)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"r\.npz"):
        read_sample_scores(path)


def test_nothing_that_could_run_code_is_read(tmp_path):
    path = tmp_path / "r.npz"
    np.savez(path, ids=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="does not hold"):
        read_sample_scores(path)


def test_every_metric_of_a_run_has_an_interval_and_its_statistic(baseline):
    for path in (baseline / CHECKPOINT).glob("*[tB].json"):
        record = json.loads(path.read_text())
        if "metrics" in record:
            statistics = read_sample_scores(path.with_name(path.stem + SUFFIX)).statistics
            assert record["metrics"].keys() == record["intervals"].keys() == statistics.keys()
            for name, value in record["metrics"].items():
                clusters = statistics[name].resampled()
                assert clusters.of(np.ones((1, clusters.clusters)))[0] == pytest.approx(
                    value, abs=1e-9
                )


def test_parts_number_their_clusters_together(tmp_path):
    parts = means_of_parts(
        [100.0] * 20, clusters=range(20), parts={"x": [17, 18, 19], "y": range(17)}
    )  # ten units of each of two samples
    path = tmp_path / "r.npz"
    write_sample_scores(path, SampleScores([1, 2], np.zeros(2, np.uint64), {}, parts))
    assert read_sample_scores(path).statistics["x"].rows()[17:].tolist() == [[100.0, 1.0]] * 3


def test_more_clusters_than_units_are_refused(tmp_path):
    many = Mean(np.array([100.0]), np.array([0], np.int32), 10**12)
    path = tmp_path / "r.npz"
    write_sample_scores(path, SampleScores([1], np.zeros(1, np.uint64), {}, {"accuracy": many}))
    with pytest.raises(DataError, match="accuracy has 1000000000000 clusters, of at most 2 units"):
        read_sample_scores(path)


def test_parts_that_differ_in_their_clusters_are_refused(tmp_path):
    mean = MeanOfMeans((ACCURACY, mean_of([0.0, 30.0, 1.0], clusters="abc")))
    path = tmp_path / "r.npz"
    write_sample_scores(path, SampleScores([1, 2, 3], np.zeros(3, np.uint64), {}, {"mean": mean}))
    with pytest.raises(DataError, match="the parts of mean differ in their number of clusters"):
        read_sample_scores(path)
