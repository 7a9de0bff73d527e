"""Is a split the published one? `run`, `score`, `table` and `data` say so alike, by its content."""

import json
from dataclasses import replace
from functools import cache
from hashlib import md5
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.data.published import split_deviations
from harness.dataset import Digest, contents_digest, images_digest
from harness.formats.folder import DataFolder
from harness.records.record import DEVIATIONS
from harness.registry import find_task, official_counts
from harness.tables.paper import read_paper
from harness.task import load_samples
from tests.support.records import RECORD

DATA = next(
    (path for parent in Path(__file__).parents if (path := parent / "shared" / "data").is_dir()),
    Path("absent"),
)
real = pytest.mark.skipif(not DATA.is_dir(), reason="the published lists are not here")


def deviations(root, task, split="test"):
    found = find_task(task)
    data = DataFolder(root, "files")
    return split_deviations(found, data, split, load_samples(found, data, split))


@cache
def coco():
    """The published list, which no test changes."""
    return json.loads((DATA / "lists" / "coco_test.json").read_text())


FORMS = {
    "as published": json.dumps,
    "with a last line break": lambda content: json.dumps(content) + "\n",
    "indented": lambda content: json.dumps(content, indent=4),
    "with letters as they are": lambda content: json.dumps(content, ensure_ascii=False),
    "without blanks": lambda content: json.dumps(content, separators=(",", ":")),
}


@real
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["coco_test.json", "coco_karpathy_test.json"])
def test_a_published_list_is_known_in_any_form_under_either_name(tmp_path, form, name):
    (tmp_path / name).write_text(FORMS[form](coco()))
    assert deviations(tmp_path, "coco-retrieval") == deviations(tmp_path, "coco-caption") == []


def as_original(entries, split="test"):
    images = [
        {
            "filename": entry["image"].split("/")[1],
            "filepath": "val2014",
            "split": split,
            "sentences": [{"raw": text} for text in entry["caption"]],
        }
        for entry in entries
    ]
    return {"images": images}


@real
def test_the_original_file_is_known_by_its_images_and_captions(tmp_path):
    path = tmp_path / "dataset_coco.json"
    path.write_text(json.dumps(as_original(coco())))
    assert deviations(tmp_path, "coco-retrieval") == []
    path.write_text(json.dumps(as_original(coco(), split="val")))  # its splits changed over
    (deviation,) = deviations(tmp_path, "coco-retrieval", "val")
    assert deviation == "its images are not those of the official val, but those of test"
    made = [entry | {"caption": ["a man"] * len(entry["caption"])} for entry in coco()]
    path.write_text(json.dumps(as_original(made)))
    (deviation,) = deviations(tmp_path, "coco-retrieval")
    assert deviation == "its texts are not those of the official test"


@real
@pytest.mark.parametrize(
    "change",
    [
        lambda entries: [e | {"image": e["image"].replace("_0", "_1")} for e in entries],  # others
        lambda entries: [e | {"caption": e["caption"][::-1]} for e in entries],
        lambda entries: [e | {"caption": ["a man"] * len(e["caption"])} for e in entries],
    ],
)
def test_another_list_of_the_same_size_is_not_the_published_one(tmp_path, change):
    (tmp_path / "coco_test.json").write_text(json.dumps(change(coco())))
    found = deviations(tmp_path, "coco-retrieval")
    assert any("3ff34b0ef2db02d01c37399f6a2a6cd1" in deviation for deviation in found)


@real
def test_the_lists_of_nlvr2_are_known_and_flipped_labels_are_not(tmp_path):
    (tmp_path / "nlvr2").mkdir()
    original, flat = tmp_path / "nlvr2" / "test1.json", tmp_path / "nlvr_test.json"
    lines = (DATA / "nlvr2" / "test1.json").read_text().splitlines()
    original.write_text("\n".join(json.dumps(json.loads(line)) for line in lines))
    assert deviations(tmp_path, "nlvr2") == []
    task, data = find_task("nlvr2"), DataFolder(tmp_path, "files")
    lists = task.flat_lists({"test": load_samples(task, data, "test")})
    content = lists["nlvr_test.json"]
    assert md5(json.dumps(content).encode()).hexdigest() == "790c4d3d4a28eed04e0370030264d9e5"
    original.unlink()
    flat.write_text(json.dumps(content, indent=1))
    assert deviations(tmp_path, "nlvr2") == []
    content[0]["label"], content[2]["label"] = content[2]["label"], content[0]["label"]
    flat.write_text(json.dumps(content))
    assert "its texts are not those of the official test" in deviations(tmp_path, "nlvr2")


@real
def test_the_list_that_build_flat_writes_is_the_published_one(tmp_path):
    (tmp_path / "coco_karpathy_test.json").write_text(json.dumps(coco(), indent=1))
    flags = ["--task", "coco-retrieval", "--split", "test", "--data", str(tmp_path)]
    main(["data", *flags, "--build-flat", str(tmp_path / "flat")])
    written = (tmp_path / "flat" / "coco_test.json").read_bytes()
    assert md5(written).hexdigest() == "3ff34b0ef2db02d01c37399f6a2a6cd1"


@real
def test_the_published_answers_are_known(tmp_path):
    digest = find_task("vqav2").dataset.digests["answer_list.json"]
    content = json.loads((DATA / "lists" / "answer_list.json").read_text())
    assert md5(json.dumps(content).encode()).hexdigest() == digest.content == digest.value


ENTRIES = [(["a.jpg"], ["one cup "]), (["b.jpg"], ["two", "2"])]


def test_digests_of_splits_tell_images_and_texts_apart():
    dataset = replace(
        find_task("coco-retrieval").dataset,
        images={"test": images_digest(["a.jpg", "b.jpg"]), "val": images_digest(["c.jpg"])},
        contents={"test": contents_digest(ENTRIES)},
    )
    assert dataset.content_deviations("test", ENTRIES[::-1]) == []
    assert dataset.content_deviations("other", [(["x.jpg"], [])]) == []  # nothing is known of it
    assert dataset.content_deviations("test", [(["c.jpg"], ["one"])]) == [
        "its images are not those of the official test, but those of val"
    ]
    assert dataset.content_deviations("test", ENTRIES[:1]) == [
        "its images are not those of the official test, but others"
    ]
    assert dataset.content_deviations("test", [(["a.jpg"], ["x"]), ENTRIES[1]]) == [
        "its texts are not those of the official test"
    ]


def test_a_record_of_another_split_fills_no_row_and_says_why():
    paper = read_paper(official_counts())
    assert paper.objection(RECORD) is None
    other = replace(RECORD, data={**RECORD.data, DEVIATIONS: ["its images are not those of val"]})
    assert paper.objection(other) == "not the official split: its images are not those of val"


def test_run_score_and_data_agree_with_the_table(tmp_path, monkeypatch, capsys):
    """A list of the official size, with another content: the published one is changed for it."""
    task = find_task("coco-retrieval")
    entries = [
        {"image": f"val2014/COCO_val2014_{100_000 + n:012d}.jpg", "caption": ["a"]}
        for n in range(3)
    ]
    dataset = replace(
        task.dataset,
        counts={"test": {"samples": 3, "captions": 3}},
        digests={"coco_test.json": Digest("md5", "aa", "the source", content="bb")},
        images={},
        contents={},
    )
    monkeypatch.setattr(type(task), "dataset", dataset)
    from harness.shapes.benchmark import embedded_data

    (tmp_path / "images").symlink_to(embedded_data().root / "images")
    (tmp_path / "coco_test.json").write_text(json.dumps(entries))
    flags = ["--task", "coco-retrieval", "--split", "test", "--data", str(tmp_path)]
    out = tmp_path / "out"
    assert main(["run", *flags, "--checkpoint", "xvlm-shapes", "--out", str(out)]) == 0
    assert "not the official split: coco_test.json: its md5 is" in capsys.readouterr().err
    record = json.loads((out / "xvlm-shapes" / "coco-retrieval.test.json").read_text())
    assert (
        "bb" not in record["data"][DEVIATIONS][0] and "but aa in" in record["data"][DEVIATIONS][0]
    )
    assert main(["table", str(out)]) == 0
    shown = capsys.readouterr()
    assert "not the official split" in shown.out + shown.err
    assert main(["data", *flags]) == 3 and "wrong" in capsys.readouterr().out
    stored = out / "xvlm-shapes" / "coco-retrieval.test.predictions.jsonl"
    kept = tmp_path / "kept"
    assert main(["score", *flags, "--predictions", str(stored), "--out", str(kept)]) == 0
    assert "not the official split: coco_test.json: its md5 is" in capsys.readouterr().err
    again = json.loads((kept / "xvlm-shapes" / "coco-retrieval.test.json").read_text())
    assert again["data"] == record["data"]
    content = md5(json.dumps(entries).encode()).hexdigest()
    known = {"coco_test.json": Digest("md5", "aa", "the source", content=content)}
    monkeypatch.setattr(type(task), "dataset", replace(dataset, digests=known))
    assert main(["data", *flags]) == 0
