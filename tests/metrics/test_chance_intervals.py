"""Intervals of OVAD's chance levels are drawn once for the same labels."""

import json

import numpy as np
import pytest

from harness.files.paths import cache_folder
from harness.metrics.attribute_ranks import Chance
from harness.statistics import bootstrap
from harness.statistics.intervals import metric_interval

LABELS = np.array([[1, 0], [0, 0], [1, -1], [0, 1], [0, 0]], dtype=np.int8)


def chance(labels=LABELS):
    images = np.array([0, 0, 1, 2, 3], dtype=np.int32)
    return Chance(labels, images, np.arange(2, dtype=np.int32))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def drawn(monkeypatch):
    """Return a list that grows by one with every set of resamples."""
    sets = []

    def draw(generator, counts, resamples, draw=bootstrap._draw):
        sets.append(resamples)
        return draw(generator, counts, resamples)

    bootstrap._draws_at_once.cache_clear()
    monkeypatch.setattr(bootstrap, "_draw", draw)
    yield sets
    bootstrap._draws_at_once.cache_clear()


def test_the_same_labels_are_resampled_once(cache, drawn):
    first = metric_interval(chance())
    bootstrap._draws_at_once.cache_clear()
    assert metric_interval(chance()) == first == bootstrap.bca_interval(chance().resampled())
    assert len(drawn) == 2  # the second time by `bca_interval`
    (file,) = (cache_folder() / "intervals").iterdir()
    assert json.loads(file.read_text())["interval"] == list(first)


def test_other_labels_have_another_interval(cache):
    other = LABELS.copy()
    other[1, 0] = 1
    assert metric_interval(chance(other)) != metric_interval(chance())
    assert len(list((cache_folder() / "intervals").iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-4],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: json.dumps({**json.loads(text), "interval": [1.0, 2.0]}),
        lambda text: json.dumps({**json.loads(text), "interval": [1.0]}),
        lambda text: json.dumps({**json.loads(text), "interval": ["a", "b"]}),
    ],
)
def test_a_damaged_file_is_computed_anew_and_replaced(cache, damage):
    right = metric_interval(chance())
    (file,) = (cache_folder() / "intervals").iterdir()
    content = file.read_text()
    file.write_text(damage(content))
    assert metric_interval(chance()) == right
    assert file.read_text() == content


def test_a_cache_that_cannot_be_written_costs_time_only(cache, drawn):
    cache.write_text("a file, no folder")
    first = metric_interval(chance())
    bootstrap._draws_at_once.cache_clear()
    assert metric_interval(chance()) == first
    assert len(drawn) == 2


def test_a_changed_formula_has_another_file(cache, monkeypatch, tmp_path):
    metric_interval(chance())
    changed = tmp_path / "attribute_ranks.py"
    changed.write_text("other code")
    monkeypatch.setattr("harness.metrics.attribute_ranks.__file__", str(changed))
    metric_interval(chance())
    assert len(list((cache_folder() / "intervals").iterdir())) == 2
