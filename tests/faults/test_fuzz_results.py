"""Predictions, result files and records with arbitrary content are read, or refused readably."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.predictions import open_predictions
from harness.records.record import read_record
from harness.records.stored_predictions import read_predictions
from harness.registry import find_task
from tests.support.arbitrary import SETTINGS, changed, damaged, read_or_refused, seeds, sound_folder
from tests.support.official_files import as_json
from tests.support.records import RECORD

PREDICTIONS = {
    "vqav2": {10: "cup", 11: "red"},
    "nlvr2": {"dev-0-0-0": True, "dev-0-1-0": False},
    "ovad": {1: [0.5, 0.25], 2: [0.125, 1.0]},
    "refcoco+": {100: [0.5, 0.5, 0.25, 0.25], 101: [0.5, 0.5, 0.2, 0.2], 102: [0.1, 0.2, 0.3, 0.4]},
    "refcoco+-weak": {100: [10, 20, 30, 40], 101: None, 102: [0.0, 0.0, 50.0, 50.0]},
    "flickr30k-retrieval": {
        f"{n}.jpg": {"texts": [0, 1], "itc": [0.5, 0.25], "itm": [2.0, 1.0]} for n in (1, 2)
    },
}
SPLITS = {
    "vqav2": "val",
    "nlvr2": "dev",
    "ovad": "box",
    "refcoco+": "val",
    "refcoco+-weak": "val",
    "flickr30k-retrieval": "test",
}
OFFICIAL = {
    "vqav2": [{"question_id": 10, "answer": "cup"}, {"question_id": 11, "answer": "red"}],
    "refcoco+": [{"sent_id": 100 + n, "pred": [0.5, 0.5, 0.25, 0.25]} for n in range(3)],
    "refcoco+-weak": [{"sent_id": 100 + n, "pred": [10, 20, 30, 40]} for n in range(3)],
}


@pytest.fixture
def folder(tmp_path):
    return sound_folder(tmp_path)


# Numbers beyond float32 become infinite, which is refused.
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("task", PREDICTIONS)
@SETTINGS
@given(data=st.data())
def test_any_predictions_are_scored_or_refused_by_every_task(folder, task, data):
    sound, samples = PREDICTIONS[task], find_task(task).load(folder, SPLITS[task])
    find_task(task).score(samples, sound)
    id = data.draw(st.sampled_from(list(sound)))
    read_or_refused(find_task(task).score, samples, {**sound, id: data.draw(changed(sound[id]))})


# Numbers beyond float32 become infinite, which is refused.
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("task", PREDICTIONS)
@SETTINGS
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_any_file_in_the_format_of_a_benchmark_is_scored_or_refused(folder, task, data, seed):
    samples, path = find_task(task).load(folder, SPLITS[task]), folder.root / "official"
    if task in OFFICIAL:
        path.write_bytes(as_json(data.draw(changed(OFFICIAL[task]))))
    elif task == "nlvr2":
        path.write_bytes(damaged(b"dev-0-0-0,True\ndev-0-1-0,False\n", seed))
    elif task == "ovad":
        with path.open("wb") as file:
            np.save(file, np.eye(2, dtype=np.float32))
        path.write_bytes(damaged(path.read_bytes(), seed))
    else:
        with path.open("wb") as file:
            np.savez(file, score_matrix_i2t=np.eye(2), score_matrix_t2i=np.eye(2))
        path.write_bytes(damaged(path.read_bytes(), seed))
    read_or_refused(find_task(task).score_official, samples, path)


@SETTINGS
@given(
    content=changed(json.loads(json.dumps({**RECORD.__dict__, "subset": {"limit": 3, "total": 9}})))
)
def test_any_record_is_read_or_refused(tmp_path, content):
    (tmp_path / "record.json").write_text(json.dumps(content))
    read_or_refused(read_record, tmp_path / "record.json")


def test_records_and_predictions_with_damaged_bytes_are_read_or_refused(tmp_path):
    record = json.dumps(RECORD.__dict__).encode()
    header = b'{"format":"xvlm-eval predictions 1","identity":{},"software":{}}'
    lines = header + b'\n{"id":1,"prediction":[1]}\n'
    for seed in seeds():
        (tmp_path / "record.json").write_bytes(damaged(record, seed))
        read_or_refused(read_record, tmp_path / "record.json")
        (tmp_path / "p.jsonl").write_bytes(damaged(lines, seed))
        read_or_refused(read_predictions, tmp_path / "p.jsonl")


@SETTINGS
@given(
    content=changed(
        {"format": "xvlm-eval predictions 1", "identity": {"task": "t"}, "software": {}}
    ),
    entry=changed({"id": 1, "prediction": [1]}),
)
def test_any_prediction_file_is_continued_or_refused(tmp_path, content, entry):
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(content)}\n{json.dumps(entry)}\n")

    def resume():
        with open_predictions(tmp_path / "p.jsonl", {"task": "t"}, software={}):
            pass

    read_or_refused(resume)
