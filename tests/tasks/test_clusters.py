"""Samples that share images are one cluster, in the same numbering for all metrics of a result."""

import numpy as np
import pytest

from harness.registry import find_task
from harness.shapes.benchmark import embedded_data
from harness.statistics.paired import Pair
from harness.statistics.swap_draws import families


@pytest.fixture(scope="module", params=[("nlvr2", "dev"), ("vqav2", "val"), ("refcoco+", "testB")])
def scored(request):
    """A split, and the statistics of right predictions and of only wrong ones."""
    name, split = request.param
    task = find_task(name)
    samples = task.load(embedded_data(), split)
    right = {
        "nlvr2": lambda sample: sample.label,
        "vqav2": lambda sample: sample.answers[0]["answer"],
        "refcoco+": lambda sample: [0.0, 0.0, 1e-3, 1e-3],
    }[name]
    predictions = [
        {sample.id: right(sample) for sample in samples},
        {sample.id: task.fallback_prediction(sample) for sample in samples},
    ]
    return samples, [task.score(samples, given).statistics for given in predictions]


def test_clusters_are_the_images(scored):
    samples, (right, _) = scored
    images = {sample.images for sample in samples}
    sets = {getattr(sample, "image_set", sample.images) for sample in samples}
    assert len(sets) <= len(images)
    assert right["accuracy"].clusters == len(sets)


def test_all_metrics_of_a_result_are_swapped_together(scored):
    _, (right, wrong) = scored
    pairs = {name: Pair(right[name], wrong[name]) for name in right}
    changed = [name for name, pair in pairs.items() if pair.changed.any()]
    assert sum(len(family.names) for family in families(pairs)) == len(changed)
    assert len(families(pairs)) <= 1


def test_a_cluster_has_the_same_number_in_every_part(scored):
    _, (right, _) = scored
    whole = right["accuracy"].rows()[:, 1]
    parts = [right[name].rows()[:, 1] for name in right if name.startswith("accuracy_")]
    if parts:
        np.testing.assert_array_equal(np.sum(parts, axis=0), whole)
