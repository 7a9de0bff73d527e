"""Of which checkpoint a row of the paper's table is, and how another one fills it."""

from dataclasses import replace

import pytest

from harness.checkpoints import entries
from harness.errors import UsageError
from tests.support.records import RECORD
from tests.tables.rows import CAPTIONS_4M, CAPTIONS_16M, OWN_FILE, PAPER, paper_rows, refcoco_rows


@pytest.mark.parametrize("name", ["mine", "MINE", "m_i-ne"])
def test_another_checkpoint_fills_the_rows_when_it_is_asked_for(name):
    row = refcoco_rows(replace(RECORD, checkpoint=OWN_FILE), checkpoint=name)["RefCOCO+ val"]
    assert (row["measured"], row["checkpoint"]) == (84.5, "mine (file)")


def test_a_checkpoint_that_nobody_has_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean x-vlm-base"):
        paper_rows(RECORD, checkpoint="x-vlm-bass")


def caption_rows(*records, **options):
    """Measured, checkpoint and verdict of the two rows of COCO Captions."""
    rows = paper_rows(*records, **options)
    return [
        (row["measured"], row["checkpoint"], row["verdict"])
        for row in rows
        if row["dataset"] == "COCO Captions"
    ]


def test_the_two_captioning_numbers_belong_to_the_4m_model_and_all_others_to_16m():
    others = {row.value: row.checkpoint for row in PAPER.rows if row.checkpoint}
    assert others == {"41.3": "x-vlm-base-4m", "140.8": "x-vlm-base-4m"}
    assert {PAPER.checkpoint_of(row) for row in PAPER.rows} <= entries().keys()
    own = [(row["paper"], row["checkpoint"]) for row in paper_rows() if row["checkpoint"]]
    assert own == [(41.3, "x-vlm-base-4m"), (140.8, "x-vlm-base-4m")]


def test_a_row_is_filled_from_its_own_checkpoint():
    assert caption_rows(CAPTIONS_16M) == [(None, "x-vlm-base-4m", "not run")] * 2
    filled = [(41.29, "x-vlm-base-4m", "reproduced"), (139.0, "x-vlm-base-4m", "off")]
    assert caption_rows(CAPTIONS_4M) == caption_rows(CAPTIONS_16M, CAPTIONS_4M) == filled
    both = refcoco_rows(RECORD, replace(RECORD, checkpoint=CAPTIONS_4M.checkpoint))
    assert both["RefCOCO+ val"]["checkpoint"] == "x-vlm-base-16m"


def test_a_named_checkpoint_fills_all_rows_whatever_they_were_printed_for():
    filled = [(41.0, "x-vlm-base-16m", "off"), (140.3, "x-vlm-base-16m", "off")]
    both = caption_rows(CAPTIONS_16M, CAPTIONS_4M, checkpoint="X-VLM base 16M")
    assert caption_rows(CAPTIONS_16M, checkpoint="x-vlm-base-16m") == both == filled
    unfilled = caption_rows(CAPTIONS_4M, checkpoint="x-vlm-base-16m")
    assert unfilled == [(None, None, "not run")] * 2
