"""The annotations of own data: what is taken, and what is refused with file, line and id."""

import json

import pytest

from harness.errors import DataError
from harness.formats.own.entries import read_captioned, read_entries
from harness.formats.own.kinds import PairEntry, QuestionEntry, RegionEntry

BOX = '{"id": "a", "image": "x/1.jpg", "expression": "a cup", "box": [1, 2, 30, 40]}'
OTHER = '{"id": 7, "image": "2.jpg", "expression": "a dog", "box": [0, 0, 5.5, 6]}'


def regions(tmp_path, content, name="boxes.jsonl"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    entries = read_entries(path, RegionEntry, kind="grounding", truth="box")
    return [(each.id, each.entry.image, each.entry.true_box) for each in entries.located]


EXPECTED = [("a", "x/1.jpg", (1, 2, 30, 40)), (7, "2.jpg", (0, 0, 5.5, 6))]


@pytest.mark.parametrize(
    "content",
    [
        f"{BOX}\n{OTHER}\n",
        f"{BOX}\n{OTHER}",
        f"\n  \n{BOX}\n\n{OTHER}\n\n",
        f"{BOX}\r\n{OTHER}\r\n",
        b"\xef\xbb\xbf" + f"{BOX}\n{OTHER}\n".encode(),
        f"[{BOX},\n{OTHER}]",
        f"{BOX}\n{OTHER}".replace("}", ', "_note": 1, "width": null}'),
        f"{BOX}\n{OTHER}".replace('"box": [1, 2, 30, 40]', '"box_xyxy": [1, 2, 31, 42]'),
    ],
)
def test_lines_and_lists_of_objects_are_read(tmp_path, content):
    assert regions(tmp_path, content) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", 'id,image,expression,box\na,x/1.jpg,a cup,"1,2,30,40"\n'
                  "7,2.jpg,a dog,0 0 5.5 6\n"),
        ("b.csv", "id;image;expression;box\r\na;x/1.jpg;a cup;[1, 2, 30, 40]\r\n"
                  "7;2.jpg;a dog;0 0 5.5 6\r\n"),
        ("b.tsv", "id\timage\texpression\tbox\twidth\na\tx/1.jpg\ta cup\t1 2 30 40\t\n\n"
                  "7\t2.jpg\ta dog\t0 0 5.5 6\t\n"),
        ("b.csv", "id\timage\texpression\tbox\na\tx/1.jpg\ta cup\t1 2 30 40\n"
                  "7\t2.jpg\ta dog\t0 0 5.5 6\n"),
        ("b.json", f"[{BOX}, {OTHER}]"),
        ("b.json", f"{BOX}\n{OTHER}\n"),
    ],
)  # fmt: skip
def test_tables_and_json_hold_the_same(tmp_path, name, content):
    assert regions(tmp_path, content, name) == EXPECTED


def test_lines_without_ids_are_numbered(tmp_path):
    line = '{"image": "1.jpg", "expression": "a\u2028cup"}'
    assert [id for id, *_ in regions(tmp_path, f"{line}\n\n{line}\n")] == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("[]", "has no annotation"),
        ("{", "line 1: is not JSON"),
        (f"{BOX}\n[1]", "line 2: should be an object"),
        (BOX.replace("expression", "expresion"), "key 'expresion'; did you mean expression?"),
        (BOX.replace('"expression": "a cup", ', ""), "line 1 (id 'a'): has no 'expression'"),
        (BOX.replace('"a cup"', "7"), "line 1 (id 'a'): expression should be a string, but is 7"),
        (BOX.replace("30", '"30"'), "(id 'a'): box[2] should be a number, but is '30'"),
        (BOX.replace("30, 40", "30"), "box should have 4 items"),
        (BOX.replace("30", "-30"), "has the box [1, 2, -30, 40] without any area"),
        (BOX.replace("30", "1e400"), "should be a finite number"),
        (BOX.replace("30", "NaN"), "should be a finite number"),
        (BOX.replace("a cup", " "), "has a blank text"),
        (BOX.replace("a cup", "\\ud800"), "should be Unicode text"),
        (BOX.replace('"a"', '""'), "id is empty"),
        (BOX.replace('"a"', "true"), "id should be"),
        (BOX.replace('"a"', "1.5"), "id should be"),
        (f"{BOX}\n{BOX}", "line 2 (id 'a'): the id 'a' occurs twice, first in"),
        (f"{OTHER}\n{OTHER}".replace("7", '"7"', 1), "the id 7 occurs twice"),
        (f"{BOX}\n{OTHER}".replace('"id": 7, ', ""), "line 2: has no 'id', but others have"),
        (f"{BOX}\n{OTHER}".replace(', "box": [0, 0, 5.5, 6]', ""), "has no 'box', like 1 of 2"),
        (BOX.replace("x/1.jpg", "../1.jpg"), "names the file '../1.jpg', which lies outside"),
        (BOX.replace("x/1.jpg", "/etc/1.jpg"), "lies outside"),
        (BOX.replace("x/1.jpg", ""), "names the file '', but no file has this name"),
        (BOX.replace("}", ', "width": 9}'), "has one of 'width' and 'height'"),
        (BOX.replace("}", ', "width": 20, "height": 90}'), "outside of its image of 20 x 90"),
        (BOX.replace("}", ', "box_xyxy": [1, 2, 3, 4]}'), "has both 'box' and 'box_xyxy'"),
        (b"\xff\xfe" + BOX.encode("utf-16-le"), "is UTF-16 text"),
        (BOX.encode("utf-16-le"), "is UTF-16 text"),
        (BOX.encode("utf-16-be"), "is UTF-16 text"),
        (BOX.replace("a cup", "a caf\xe9").encode("latin-1"), "was it saved as UTF-8?"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG image"),
    ],
)  # fmt: skip
def test_what_does_not_follow_the_format_is_refused_where_it_stands(tmp_path, content, message):
    with pytest.raises(DataError) as refused:
        regions(tmp_path, content)
    assert message in str(refused.value) and str(tmp_path / "boxes.jsonl") in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,expression\n1.jpg,a,b\n", "line 2: has 3 cells, but the header has 2"),
        ("image,image\n1.jpg,a\n", "names the column 'image' twice"),
        ("image,expression\n", "has no annotation"),
        ('image,expression\n1.jpg,"a\n', "is not a table row"),
        ("image,text\n1.jpg,a\n", "unknown key 'text'"),
        ("image,expression,box\n1.jpg,a,1 2 3 x\n", "box[3] should be a number, but is 'x'"),
        ("image,expression,box\n1.jpg,a,1 2 nan 3\n", "should be a number, but is 'nan'"),
        ("image,expression,box\n1.jpg,a,1 2 1e999 3\n", "should be a number, but is '1e999'"),
        ("image,expression,box\n1.jpg,a,[1\n", "line 2: box: is not JSON"),
    ],
)
def test_tables_are_refused_where_they_are_wrong(tmp_path, content, message):
    with pytest.raises(DataError) as refused:
        regions(tmp_path, content, "boxes.csv")
    assert message in str(refused.value)


def captioned(tmp_path, content, name="captions.jsonl"):
    (tmp_path / name).write_text(content)
    entries = read_captioned(tmp_path / name, kind="retrieval", images=tmp_path)
    return [(each.id, list(each.entry.texts())) for each in entries.located]


def test_captions_of_an_image_stand_on_one_line_or_on_several(tmp_path):
    expected = [("a/1.jpg", ["x", "y"]), ("b/1.jpg", ["z"])]
    lists = '{"image": "a/1.jpg", "captions": ["x", "y"]}\n{"image": "b/1.jpg", "captions": ["z"]}'
    assert captioned(tmp_path, lists) == expected
    table = "image,caption\na/1.jpg,x\nb/1.jpg,z\na/1.jpg,y\n"
    assert captioned(tmp_path, table, "captions.csv") == expected
    with pytest.raises(DataError, match=r"line 2: the image 'b/1.jpg' occurs twice"):
        captioned(tmp_path, lists.replace("a/1", "b/1"))
    with pytest.raises(DataError, match=r"line 2 \(id 5\): the image 'a' occurs twice"):
        captioned(tmp_path, '{"id": 4, "image": "a", "caption": "x"}\n'
                            '{"id": 5, "image": "a", "caption": "y"}')  # fmt: skip


def test_answers_and_labels_are_read_from_tables_or_refused(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text(
        'id,image,question,answers\n1,a.jpg,what?,"[""dog"", ""puppy""]"\n2,a.jpg,?,yes'
    )
    entries = read_entries(path, QuestionEntry, kind="vqa", truth="answers")
    assert [each.entry.true_answers() for each in entries.located] == [["dog", "puppy"], ["yes"]]
    path.write_text("left,right,statement,label\na.jpg,b.jpg,Two dogs.,True\na.jpg,b.jpg,No.,0\n")
    pairs = read_entries(path, PairEntry, kind="nlvr2", truth="label")
    assert [each.entry.truth for each in pairs.located] == [True, False]
    assert pairs.located[0].entry.named_images() == ("a.jpg", "b.jpg")
    path.write_text("left,statement,label\na.jpg,Two dogs.,True\n")
    with pytest.raises(DataError, match="has no 'images', a list of the left and the right one"):
        read_entries(path, PairEntry, kind="nlvr2", truth="label")
    path.write_text("left,right,statement,label\na.jpg,b.jpg,Two dogs.,maybe\n")
    with pytest.raises(DataError, match="label should be true or false, but is 'maybe'"):
        read_entries(path, PairEntry, kind="nlvr2", truth="label")


COCO = {
    "images": [
        {"id": 1, "file_name": "1.jpg", "width": 100, "height": 90, "licence": 3},
        {"id": 2, "file_name": "2.jpg"},
    ],
    "categories": [{"id": 5, "name": "dog"}, {"id": 6, "name": "cat"}],
    "annotations": [
        {"id": 10, "image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4], "area": 12},
        {"id": 11, "image_id": 1, "category_id": 6, "bbox": [1, 2, 3, 4]},
        {"id": 12, "image_id": 1, "category_id": 6, "bbox": [5, 2, 3, 4]},
        {"id": 13, "image_id": 2, "category_id": 6, "bbox": [5, 2, 3, 4]},
        {"id": 14, "image_id": 2, "category_id": 5, "bbox": [5, 2, 3, 4], "iscrowd": 1},
    ],
}


def test_a_category_of_coco_expresses_the_only_box_of_it(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(COCO))
    entries = read_entries(path, RegionEntry, kind="grounding", truth="box")
    assert [(each.id, each.entry.expression) for each in entries.located] == [
        (10, "dog"),
        (13, "cat"),
    ]
    assert entries.ambiguous == 3 and entries.located[0].entry.width == 100


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"annotations": [{"image_id": 9, "id": 1, "bbox": [1, 2, 3, 4]}]}, "grounding",
         "annotations[0]: image_id 9 is not in images"),
        ({"annotations": [{"image_id": 1, "id": 1, "caption": "a"}]}, "grounding",
         "annotations[0] has no 'bbox'; are these captions?"),
        ({"categories": []}, "grounding", "category_id 5 is not in categories"),
        ({}, "caption", "annotations[0] has no 'caption'; are these boxes?"),
        ({"categories": [{"id": 5, "name": "\ud800"}]}, "grounding", "should be Unicode text"),
        ({}, "vqa", "nothing for vqa"),
        ({"images": [{"id": 1, "file_name": "a"}] * 2}, "grounding", "id 1 occurs twice"),
        ({"images": [{"id": "1", "file_name": "a"}]}, "grounding", "images[0].id should be"),
    ],
)  # fmt: skip
def test_coco_is_refused_where_it_is_wrong(tmp_path, change, kind, message):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(COCO | change))
    with pytest.raises(DataError) as refused:
        read_entries(path, RegionEntry, kind=kind, truth="box")
    assert message in str(refused.value)


def test_captions_of_coco_are_gathered_by_image(tmp_path):
    content = COCO | {
        "annotations": [
            {"image_id": 2, "id": 1, "caption": "x"},
            {"image_id": 1, "id": 2, "caption": "y"},
            {"image_id": 2, "id": 3, "caption": "z"},
        ]
    }
    expected = [(1, ["y"]), (2, ["x", "z"])]
    assert captioned(tmp_path, json.dumps(content), "captions.json") == expected
