"""The lineage of a baseline: one line per renewal, whatever its reason holds."""

import pytest

from harness.drift import lineage
from harness.drift.anchor import anchored_gate, lost_anchors
from harness.drift.lineage import Renewal, append_renewal, read_lineage, renewals_since_review
from harness.drift.settings import Gate
from harness.errors import DataError

RENEWAL = {
    "date": "2026-01-31",
    "checkpoint": "mine",
    "release": None,
    "commit": None,
    "before": {},
    "after": {},
    "changes": {},
}


def test_a_reason_may_hold_any_character(tmp_path):
    reason = "pasted\u2028from a page,\x85with a tab\tand a break\nof lines"
    append_renewal(tmp_path, Renewal(**RENEWAL, reviewed=True, reason=reason))
    append_renewal(tmp_path, Renewal(**RENEWAL, reviewed=False, reason="passed"))
    assert [renewal.reason for renewal in read_lineage(tmp_path)] == [reason, "passed"]
    assert renewals_since_review(tmp_path) == {"mine": 1}


def test_a_lineage_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    path = tmp_path / "lineage.jsonl"
    path.symlink_to("nowhere")
    with pytest.raises(DataError, match="is a link to nowhere, which does not exist"):
        read_lineage(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="is not a file"):
        read_lineage(tmp_path)


@pytest.mark.parametrize("anchored", [True, False])
def test_the_lineage_of_many_checkpoints_is_read_once(tmp_path, monkeypatch, anchored):
    read = []
    monkeypatch.setattr(lineage, "read_lineage", lambda path: read.append(path) or [])
    for name in "abc":
        folder = tmp_path / name
        for place in (folder, tmp_path / "anchor" / name)[: 1 + anchored]:
            place.mkdir(parents=True)
            (place / "ovad.box.json").write_text("{}")
    assert (anchored_gate(tmp_path, Gate()) is not None) == anchored
    assert lost_anchors(tmp_path, Gate()) == []
    assert read == [tmp_path]
