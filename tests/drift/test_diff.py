"""`xvlm-eval diff`: what else differs, and the samples that changed, in order of importance."""

import gzip
import json

import pytest

from harness.cli.main import main
from harness.drift.samples import (
    changed_samples,
    compare_predictions,
    format_prediction,
)
from harness.errors import DataError
from harness.records.stored import read_result
from tests.support.altered import CHECKPOINT, copied, edit_record, predict_otherwise, truths
from tests.support.tampered import committed

STEM = "refcoco+.testB"


def record(results, stem=STEM):
    return results / CHECKPOINT / f"{stem}.json"


def changes_between(*paths):
    """The changed samples of two records."""
    before, after = map(read_result, paths)
    return changed_samples(before, after, compare_predictions(before, after))


@pytest.fixture
def moved(baseline, tmp_path):
    """testB with three changed boxes (a little wider, off its object, hardly wider); their ids."""
    results = copied(baseline, tmp_path / "moved", STEM)
    ids = []

    def change(predictions):
        ids.extend(list(predictions)[:3])
        little, lost, hardly = (predictions[id] for id in ids)
        boxes = (
            [*little[:2], little[2] + 0.002, little[3]],
            [lost[0] + 0.4, *lost[1:]],
            [*hardly[:2], hardly[2] + 0.0001, hardly[3]],
        )
        return dict(zip(ids, boxes, strict=True))

    predict_otherwise(results, STEM, change)
    return results, ids


def test_right_to_wrong_comes_first_then_the_rest_by_size(baseline, moved):
    results, (little, lost, hardly) = moved
    changes = changes_between(record(baseline), record(results))
    assert changes[0].id == lost and {change.id for change in changes[1:]} == {little, hardly}
    # Whether a wider box gains or loses depends on the object, so both orders are possible.
    gains = [change.after - change.before for change in changes[1:]]
    assert gains == sorted(gains, key=lambda gain: (gain > 0, -abs(gain)))
    assert [change.measure for change in changes] == ["accuracy", "iou", "iou"]
    assert (changes[0].before, changes[0].after) == (100.0, 0.0)
    assert changes[0].predicted_after[0] - changes[0].predicted_before[0] == pytest.approx(0.4)


def test_losses_come_before_gains(baseline, tmp_path):
    truth = truths("nlvr2", "dev")
    results = copied(baseline, tmp_path, "nlvr2.dev")

    def change(predictions):
        right = [id for id, verdict in predictions.items() if verdict == truth[id]][:2]
        wrong = [id for id, verdict in predictions.items() if verdict != truth[id]][:2]
        return {id: not predictions[id] for id in (*wrong, *right)}

    predict_otherwise(results, "nlvr2.dev", change)
    changes = changes_between(record(baseline, "nlvr2.dev"), record(results, "nlvr2.dev"))
    assert [(change.before, change.after) for change in changes] == [(100.0, 0.0)] * 2 + [
        (0.0, 100.0)
    ] * 2


def test_the_environment_comes_before_the_samples_and_names_what_changed(baseline, moved, capsys):
    results, _ = moved
    edit_record(
        results,
        STEM,
        software={"torch": "9.9.9", "pillow": "1.0"},
        settings={"dtype": "tf32", "device": "cuda (X)"},
    )
    capsys.readouterr()
    assert main(["diff", str(record(baseline)), str(record(results))]) == 0
    lines = capsys.readouterr().out.splitlines()
    positions = [
        next(number for number, line in enumerate(lines) if line.startswith(word))
        for word in ("torch", "pillow", "device", "dtype")
    ]
    assert positions == sorted(positions)
    assert positions[-1] < next(
        number for number, line in enumerate(lines) if line.startswith("Samples that changed: 3")
    )


def test_old_and_new_answers_stand_beside_one_another(baseline, tmp_path, capsys):
    results = copied(baseline, tmp_path, "vqav2.test-dev")
    predict_otherwise(
        results, "vqav2.test-dev", lambda predictions: {next(iter(predictions)): "a giraffe"}
    )
    (id, was), *_ = read_result(record(baseline, "vqav2.test-dev")).predictions.items()
    capsys.readouterr()
    pair = [str(record(folder, "vqav2.test-dev")) for folder in (baseline, results)]
    assert main(["diff", *pair, "--format", "json"]) == 0
    ((change,),) = [diff["changes"] for diff in json.loads(capsys.readouterr().out)["diffs"]]
    assert (change["id"], change["predicted_before"], change["predicted_after"]) == (
        id,
        was,
        "a giraffe",
    )


def test_no_more_samples_are_shown_than_the_limit(baseline, moved, capsys):
    results, (_, lost, _) = moved
    capsys.readouterr()
    assert main(["diff", str(baseline), str(results), "--limit", "1", "--format", "md"]) == 0
    output = capsys.readouterr().out
    assert (
        "Samples that changed: 1 of 3, the most important first" in output
        and f"| {lost} " in output
    )


def test_predictions_may_be_compressed_and_must_be_those_of_the_record(baseline, moved):
    results, _ = moved
    path = results / CHECKPOINT / f"{STEM}.predictions.jsonl"
    content = path.read_bytes()
    path.unlink()
    assert read_result(record(results)).predictions is None
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(content))
    assert len(read_result(record(results)).predictions) == 696
    packed.write_bytes(gzip.compress(content + b"\n"))
    with pytest.raises(DataError, match="are not the predictions"):
        read_result(record(results)).predictions  # noqa: B018
    packed.write_bytes(gzip.compress(content)[:-9])
    with pytest.raises(DataError, match="damaged"):
        read_result(record(results)).predictions  # noqa: B018


def test_without_stored_predictions_changes_are_still_listed(baseline, moved):
    results, (_, lost, _) = moved
    (results / CHECKPOINT / f"{STEM}.predictions.jsonl").unlink()
    first, *_ = changes_between(record(baseline), record(results))
    assert (first.id, first.before, first.after, first.predicted_after) == (lost, 100.0, 0.0, None)


def test_what_has_no_samples_in_common_is_refused(baseline, tmp_path, capsys):
    assert main(["diff", str(record(baseline)), str(record(baseline, "nlvr2.dev"))]) == 2
    assert "only the same task and split have samples in common" in capsys.readouterr().err
    assert main(["diff", str(baseline), str(record(baseline))]) == 2
    assert main(["diff", str(baseline), str(tmp_path)]) == 2
    assert main(["diff", str(baseline), str(tmp_path / "nowhere")]) == 3


@pytest.mark.parametrize(
    ("prediction", "other", "text"),
    [
        (None, None, "(not kept)"),
        ("yes", "no", "yes"),
        (True, False, "True"),
        ([0.5, 0.25, 0.125, 1.0], None, "0.5, 0.25, 0.125, 1"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.9, 0.4, 0.5], "[2] 0.3"),
        ({"texts": [1, 2], "itm": [0.5, 0.25]}, None, "texts 1, 2; itm 0.5, 0.25"),
    ],
)
def test_predictions_are_shown_for_people(prediction, other, text):
    assert format_prediction(prediction, other) == text


def test_two_folders_without_a_pair_are_refused_with_what_to_do(tmp_path, capsys):
    ours, theirs, other, empty = (tmp_path / name for name in ("ours", "theirs", "other", "empty"))
    empty.mkdir()
    for folder, stem in ((ours, STEM), (theirs, STEM), (other, "nlvr2.dev")):
        committed(folder, stem)
    (theirs / CHECKPOINT).rename(theirs / "mine")
    path = theirs / "mine" / f"{STEM}.json"
    content = json.loads(path.read_text())
    content["checkpoint"]["name"] = "mine"
    path.write_text(json.dumps(content))

    def refusal(before, after):
        assert main(["diff", str(before), str(after)]) == 2
        return capsys.readouterr().err

    command = f"`xvlm-eval diff {record(ours)} {path}`"
    assert f"name their records: {command}" in refusal(ours, theirs)
    assert main(["diff", str(record(ours)), str(path)]) == 0
    capsys.readouterr()
    assert f"{ours} has refcoco+ testB, and {other} has nlvr2 dev" in refusal(ours, other)
    assert f"{empty} has no result of a whole split" in refusal(empty, ours)
