"""The leaderboard sets what was measured beside what was published, protocol by protocol."""

from dataclasses import replace

from harness import rendering
from harness.records.record import find_records, write_record
from harness.tables import comparison, layouts
from tests.support.records import RECORD
from tests.tables.rows import CAPTIONS_4M, CAPTIONS_16M, OWN_FILE, PAPER, leaderboard


def test_the_leaderboard_sets_measured_beside_published_and_says_what_is_not_run():
    rows = leaderboard(RECORD)
    measured = rows["x-vlm-base-16m", "refcoco+", "val", "accuracy"]
    assert (measured["measured"], measured["published"], measured["verdict"]) == (
        84.5,
        84.51,
        "reproduced",
    )
    assert rows["x-vlm-base-16m", "refcoco+", "testA", "accuracy"]["verdict"] == "not run"
    assert rows["x-vlm-base-4m", "ovad", "box", "map"]["published"] == 25.9
    text = rendering.render(layouts.leaderboard(list(rows.values())), "md")
    assert "84.50 (84.51, -0.01)" in text and "(89.00)" in text and "(78.22)" in text


def test_a_file_that_is_called_like_a_released_model_is_not_set_beside_its_numbers():
    rows = leaderboard(replace(RECORD, checkpoint={**OWN_FILE, "name": "x-vlm-base-16m"}))
    assert rows["x-vlm-base-16m (file)", "refcoco+", "val", "accuracy"]["published"] is None
    assert rows["x-vlm-base-16m", "refcoco+", "val", "accuracy"]["measured"] is None


def test_protocols_are_not_ranked_together():
    other = replace(RECORD, checkpoint=OWN_FILE, protocol=RECORD.protocol.replace("384", "224"))
    boards = layouts.leaderboard(comparison.leaderboard_rows([RECORD, other], PAPER))
    refcoco = {
        board.title.partition(", protocol ")[2]: [row["checkpoint"] for row in board.rows]
        for board in boards
        if board.title.split()[0].strip(":") == "refcoco+"
    }
    assert refcoco[other.protocol] == ["mine (file)"]
    assert refcoco[RECORD.protocol] == ["x-vlm-base-4m", "x-vlm-base-16m"]


def test_a_result_that_waits_for_its_server_has_its_own_protocol():
    waiting = replace(
        RECORD, task="vqav2", split="test-dev", metrics={}, intervals={}, checkpoint=OWN_FILE,
        not_run={"accuracy": "only the server can score it"}, protocol="ranked|384px",
    )  # fmt: skip
    rows = comparison.all_rows([waiting, replace(waiting, protocol="generated|480px")], PAPER)
    assert {row["protocol"]: row["verdict"] for row in rows} == {
        "generated|480px": "needs server",
        "ranked|384px": "needs server",
    }


def test_splits_stand_in_their_own_order_and_numbers_in_theirs():
    rows = comparison.leaderboard_rows([], PAPER)
    rows = [row for row in rows if row["checkpoint"] == "x-vlm-base-16m"]
    assert [row["split"] for row in rows if row["task"] == "refcoco+"] == ["val", "testA", "testB"]
    recalls = [row["metric"] for row in rows if row["task"] == "coco-retrieval"]
    assert recalls == ["i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10"]
    assert list(dict.fromkeys(row["task"] for row in rows))[:2] == ["vqav2", "nlvr2"]


def test_embedded_results_have_a_table_of_their_own():
    embedded = replace(RECORD, data={**RECORD.data, "name": "shapes"})
    assert [row["measured"] for row in comparison.shapes_rows([embedded, RECORD], PAPER)] == [84.5]
    rows = comparison.leaderboard_rows([embedded], PAPER)
    assert all(row["measured"] is None for row in rows)


def test_the_leaderboard_sets_a_number_beside_the_model_it_was_printed_for():
    rows = leaderboard(CAPTIONS_16M)
    own = rows["x-vlm-base-16m", "coco-caption", "test", "cider"]
    assert (own["measured"], own["published"], own["verdict"]) == (140.3, 140.3, "reproduced")
    assert own["source"] == "X-VLM, Table 3"
    other = rows["x-vlm-base-4m", "coco-caption", "test", "cider"]
    assert (other["measured"], other["published"], other["verdict"]) == (None, 140.8, "not run")
    reproduced = leaderboard(CAPTIONS_4M)["x-vlm-base-4m", "coco-caption", "test", "bleu4"]
    assert (reproduced["published"], reproduced["verdict"]) == (41.3, "reproduced")


def test_a_copy_of_a_record_is_no_second_result(tmp_path):
    write_record(RECORD.path(tmp_path), RECORD)
    write_record(tmp_path / "elsewhere" / "refcoco+.val.json", RECORD)
    records, damaged, misplaced, _ = find_records(tmp_path)
    assert (records, damaged) == ([RECORD], [])
    assert len(misplaced) == 1 and "elsewhere" in misplaced[0]
