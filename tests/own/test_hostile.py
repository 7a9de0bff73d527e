"""Hostile own data: a clear sentence, or the right value, never a silent wrong one."""

import json

import pytest
from PIL import Image

from harness import errors, load_task
from harness.cli.main import main
from harness.files.paths import shipped_path


def samples(tmp_path, kind, content, suffix="jsonl"):
    (tmp_path / "photos").mkdir(exist_ok=True)
    Image.new("RGB", (100, 80)).save(tmp_path / "photos" / "a.jpg")
    path = tmp_path / f"mine.{suffix}"
    path.write_text(content)
    return load_task(kind, annotations=path, images=tmp_path / "photos").samples()


def coco(boxes, categories):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.jpg"}]
    annotations = [
        {"id": n, "image_id": image, "category_id": category, "bbox": [1, 1, 5, 5]}
        for n, (image, category) in enumerate(boxes)
    ]
    named = [{"id": id, "name": name} for id, name in categories]
    return json.dumps({"images": images, "annotations": annotations, "categories": named})


COCO_TWICE = coco([(1, 1), (2, 1)], [(1, "x")]).replace(
    '"id": 1, "image_id": 2,', '"id": 1, "image_id": 2, "bbox": [0, 0, 9, 9],'
)
LONG = json.dumps({"image": "x" * 5000, "expression": "e", "box": [1, 1, 2, 2]})
TWICE = '{"image": "a.jpg", "expression": "e", "box": [1, 1, 2, 2], "box": [1, 1, 9, 9]}'
FORMS = '{"image": "\u00e9.jpg", "captions": ["c"]}\n{"image": "e\u0301.jpg", "captions": ["d"]}'
SAME = '{"image": "a.jpg", "captions": ["c"]}\n{"image": "./a.jpg", "captions": ["d"]}'
ENDLESS = json.dumps({"image": "a.jpg", "question": "q", "answer": "a" * 100_000})
TABLE = "image,expression,box\na.jpg,e,{} 1 2 3\n"


@pytest.mark.parametrize(
    ("kind", "content", "suffix", "message"),
    [
        ("grounding", LONG, "jsonl", "line 1: names the file 'x+'..., of 5,000 characters"),
        ("grounding", TWICE, "jsonl", "line 1: has the key 'box' twice"),
        ("grounding", f"[{TWICE}]", "json", "has the key 'box' twice"),
        ("grounding", COCO_TWICE, "json", r"annotations\[1\] has the key .bbox. twice"),
        ("caption", SAME, "jsonl", "line 2: the image './a.jpg' occurs twice"),
        ("retrieval", SAME, "jsonl", "line 2: the image './a.jpg' occurs twice"),
        ("retrieval", FORMS, "jsonl", "line 2: the image 'e\u0301.jpg' occurs twice"),
        ("vqa", ENDLESS, "jsonl", "all of its true answers are 'a"),
        ("grounding", TABLE.format("1_0"), "csv", "should be a number, but is '1_0'"),
        ("grounding", TABLE.format("\u0661"), "csv", "should be a number, but is"),
        ("grounding", TABLE.format("nan"), "csv", "should be a number, but is 'nan'"),
        ("grounding", coco([(1, 1)], [(1, "x"), (1, "y")]), "json", "id 1 occurs twice"),
        ("grounding", coco([(1, 1), (1, 2)], [(1, "x"), (2, "x")]), "json", "none of its 2 boxes"),
        ("grounding", coco([(1, 1), (2, 1)], [(1, "x")]), "json", "none of its 2 boxes"),
    ],
)
def test_what_is_ambiguous_or_no_value_is_refused_in_a_short_sentence(
    kind, content, suffix, message, tmp_path
):
    with pytest.raises(errors.DataError, match=message) as refused:
        samples(tmp_path, kind, content, suffix)
    assert len(str(refused.value)) < 1000


def test_ids_of_more_digits_than_64_bits_hold_stay_texts(tmp_path):
    ids = ["7", "9223372036854775807", "9223372036854775808", "9" * 5000, "07"]
    rows = "".join(f"{id},a.jpg,e,1.5 1 +2 3e0\n" for id in ids)
    found = samples(tmp_path, "grounding", f"id,image,expression,box\n{rows}", "csv")
    assert [sample.id for sample in found] == [7, 2**63 - 1, str(2**63), "9" * 5000, "07"]
    assert tuple(found[0].box) == (1.5, 1, 2, 3)


@pytest.mark.parametrize(
    "command",
    [["show", "x" * 5000], ["table", "x" * 300], ["check", "a\0"], ["checkpoint", "x" * 300]],
)
def test_a_path_that_no_file_can_have_is_a_misuse(command, capsys):
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "not a valid path" in err and len(err) < 3000


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "../x", " "])
def test_results_have_a_name_of_letters_that_show(name, tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"image": "a.jpg", "expression": "e"}')
    weights = shipped_path("harness/shapes/weights/refcoco+.safetensors")
    own = ["--task", "grounding", "--annotations", str(tmp_path / "a.jsonl")]
    out = ["--out", str(tmp_path / "out"), "--checkpoint", str(weights), "--name", name]
    assert main(["run", *own, *out]) == 2
    blank = "--name is empty, and names nothing"
    expected = "no name that results can be stored under" if name.strip() else blank
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_absent_image_names_the_flag_of_its_folder(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"image": "a.jpg", "expression": "e"}')
    (tmp_path / "wrong").mkdir()
    own = ["--annotations", str(tmp_path / "a.jsonl"), "--images", str(tmp_path / "wrong")]
    command = ["run", "--task", "grounding", *own, "--checkpoint", "xvlm-shapes"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 3
    err = capsys.readouterr().err
    assert "a.jpg: no such image (needed by sample 1)" in err
    assert f"--images names the folder of the images, here {tmp_path / 'wrong'}/" in err


def test_names_in_records_do_not_steer_the_terminal(tmp_path, capsys):
    record = json.loads((shipped_path("results") / "xvlm-shapes" / "nlvr2.dev.json").read_text())
    folder = tmp_path / "xvlm-shapes"
    folder.mkdir()
    (folder / "nlvr2.dev.json").write_text(json.dumps({**record, "task": "x\x1b[31m"}))
    assert main(["show", str(tmp_path)]) == 3
    err = capsys.readouterr().err
    assert "x\ufffd[31m.dev.json" in err and "\x1b" not in err
