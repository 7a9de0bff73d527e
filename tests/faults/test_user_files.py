"""Files as users have them: read as the official code reads them, or refused by file and item."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.dataset import HubRows
from harness.errors import DataError, UsageError
from harness.formats.folder import DataFolder
from harness.formats.hub_rows import write_flickr30k
from harness.formats.nlvr2 import read_flat_statements, read_lines
from harness.formats.submissions import read_labels
from harness.images import allowing_links
from harness.models.fusion.tokenizer import Tokenizer
from harness.registry import find_task, find_tasks, splits_of
from harness.running.distributed import started_by_torchrun
from harness.shapes.benchmark import embedded_data
from tests.support import refcoco_files

CASES = next(
    (path for parent in Path(__file__).parents if (path := parent / "shared" / "cases").is_dir()),
    Path("absent"),
)


def scored(capsys, task, split, path, *more):
    flags = ["--task", task, "--split", split, "--predictions", str(path), "--format", "json"]
    code = main(["score", *flags, *more])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if code == 0 else None, shown.err


def boxes(box_of):
    samples = find_task("refcoco+").load(embedded_data(), "val")
    return json.dumps([{"sent_id": s.id, "pred": box_of(s)} for s in samples])


def centred(s):
    x, y, w, h = s.box
    return [(x + w / 2) / s.width, (y + h / 2) / s.height, w / s.width, h / s.height]


def corners(s):
    x, y, w, h = s.box
    return [x / s.width, y / s.height, (x + w) / s.width, (y + h) / s.height]


@pytest.mark.parametrize(
    ("box_of", "problem"),
    [
        (lambda s: list(s.box), "lies far outside of its image: [14.0, 63.0, 56.0, 52.0]"),
        (lambda s: [1000 * value for value in centred(s)], "lies far outside of its image"),
        (lambda s: [100 * value for value in corners(s)], "lies far outside of its image"),
        (lambda s: [*centred(s)[:2], -0.1, 0.1], "has a negative size"),
        (lambda s: [*centred(s)[:3], -1e-9], "has a negative size"),
    ],
)
def test_boxes_in_another_unit_are_refused_by_their_id(tmp_path, capsys, box_of, problem):
    (tmp_path / "boxes.json").write_text(boxes(box_of))
    code, _, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert code == 3 and f"the box for sent_id 0 {problem}" in shown


def test_boxes_that_look_like_corners_are_scored_and_said(tmp_path, capsys):
    (tmp_path / "boxes.json").write_text(boxes(corners))
    code, answer, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert code == 0 and "boxes reach out of their images" in shown and answer["caveats"]
    (tmp_path / "boxes.json").write_text(boxes(centred))
    code, answer, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json")
    assert answer["metrics"]["accuracy"] == 100.0 and shown == "" and "caveats" not in answer


@pytest.mark.parametrize(("people", "accuracy"), [(2, 100 / 3), (3, 200 / 3), (4, 100.0)])
def test_questions_with_few_answers_count_as_officially_and_it_is_said(
    tmp_path, capsys, people, accuracy
):
    (tmp_path / "answer_list.json").write_text('["yes", "no"]')
    entry = {"question_id": 5, "question": "?", "image": "1.jpg", "answer": ["yes"] * people}
    (tmp_path / "vqa_val.json").write_text(json.dumps([entry]))
    (tmp_path / "results.json").write_text('[{"question_id": 5, "answer": "yes"}]')
    more = ("--data", str(tmp_path))
    code, answer, shown = scored(capsys, "vqav2", "val", tmp_path / "results.json", *more)
    assert code == 0 and answer["metrics"]["accuracy"] == pytest.approx(accuracy)
    assert (f"question 5 has {people}): the official accuracy" in shown) == (people < 4)


def test_questions_with_one_answer_are_refused_instead_of_scored_as_wrong(tmp_path, capsys):
    (tmp_path / "answer_list.json").write_text('["yes", "no"]')
    entry = {"question": "?", "image": "1.jpg"}
    entries = [
        {**entry, "question_id": 5, "answer": ["yes"]},
        {**entry, "question_id": 6, "answer": ["yes"] * 10},
    ]
    (tmp_path / "vqa_val.json").write_text(json.dumps(entries))
    results = tmp_path / "results.json"
    results.write_text('[{"question_id": 5, "answer": "yes"}, {"question_id": 6, "answer": "yes"}]')
    flags = ["--split", "val", "--predictions", str(results), "--data", str(tmp_path)]
    code = main(["score", "--task", "vqav2", *flags])
    shown = capsys.readouterr().err
    assert code == 3 and "1 of 2 questions have a single answer (e.g. question 5)" in shown
    assert "--task vqa --annotations FILE" in shown


LINE = {"identifier": "dev-850-0-0", "sentence": "two", "label": "True"}
RARE = "a\u2028b\u2029c\u0085d\u001ce\u000bf"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\n \n\n", "", "\u2028"])
def test_only_line_breaks_end_the_lines_of_nlvr2(tmp_path, end):
    lines = [LINE | {"sentence": RARE}, LINE | {"identifier": "dev-850-1-0"}]
    texts = [json.dumps(line, ensure_ascii=False) for line in lines]
    for controls in ("\u001c", "\u000b"):  # JSON holds them as escapes only
        texts[0] = texts[0].replace(controls, f"\\u{ord(controls):04x}")
    (tmp_path / "dev.json").write_bytes(("\n".join(texts) + end).encode())
    first, second = read_lines(tmp_path / "dev.json", folder="dev")
    assert (first.sentence, second.sentence) == (RARE, "two")


def test_labels_may_be_true_and_false_as_in_the_lists_of_x2_vlm(tmp_path):
    entries = [{"sentence": "two", "label": label, "images": ["a", "b"]} for label in (True, False)]
    (tmp_path / "list.json").write_text(json.dumps(entries))
    assert [each.label for each in read_flat_statements(tmp_path / "list.json")] == [True, False]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,True\nb, True\n", "line 2: should be .* without blanks, which the official scorer"),
        ("a,True \nb,True\n", "line 1: should be .* without blanks"),
        ("identifier,prediction\na,True\n", "line 1: should be .*, without a header line"),
        ("a,True\n\nb,True\n", "line 2: should be"),
        ('"a",True,' + "x" * 200_000 + "\nb", "line 2: should be"),
    ],
)
def test_labels_that_the_official_scorer_reads_otherwise_are_refused(tmp_path, content, problem):
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(DataError, match=problem) as caught:
        read_labels(tmp_path / "p.csv")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_blank_last_lines_and_further_columns_of_labels_are_no_labels(tmp_path, mark):
    (tmp_path / "p.csv").write_bytes(mark + b"a,True,0.9\r\nb,false\r\n\r\n \r\n")
    assert read_labels(tmp_path / "p.csv") == [("a", True), ("b", False)]


def flickr(captions):
    row = {"image": b"x", "caption": captions, "filename": "1.jpg", "split": "test"}
    return HubRows(("test",), lambda split, columns: iter([row]))


@pytest.mark.parametrize(
    ("captions", "expected"), [("a cup", ["a cup"]), (["a", "b"], ["a", "b"]), (("a",), ["a"])]
)
def test_a_column_of_captions_that_is_one_text_is_one_caption(tmp_path, captions, expected):
    assert write_flickr30k(flickr(captions), tmp_path)["test"]["captions"] == len(expected)
    content = json.loads((tmp_path / "flickr30k" / "dataset_flickr30k.json").read_text())
    assert [sentence["raw"] for sentence in content["images"][0]["sentences"]] == expected


@pytest.mark.parametrize("captions", [[], [3], [None], ""])
def test_a_row_without_captions_is_refused_or_read_as_it_is(tmp_path, captions):
    if captions == "":
        assert write_flickr30k(flickr(captions), tmp_path)["test"]["captions"] == 1
        return
    with pytest.raises(DataError, match="captions that are not texts"):
        write_flickr30k(flickr(captions), tmp_path)


@pytest.mark.parametrize("as_other", [gzip.compress, lambda b: b"\xef\xbb\xbf" + b])
def test_score_reads_gzip_and_a_byte_order_mark(tmp_path, capsys, as_other):
    (tmp_path / "boxes").write_bytes(as_other(boxes(centred).encode()))
    code, answer, _ = scored(capsys, "refcoco+", "val", tmp_path / "boxes")
    assert code == 0 and answer["metrics"]["accuracy"] == 100.0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "is an HTML page"),
        (b"", "is empty"),
        (b"PAR1", "is a parquet table"),
    ],
)
@pytest.mark.parametrize("task", ["refcoco+", "vqav2", "nlvr2", "coco-retrieval", "ovad"])
def test_score_says_what_a_file_is_instead(tmp_path, capsys, content, problem, task):
    (tmp_path / "file").write_bytes(content)
    split = {"coco-retrieval": "test", "ovad": "box", "nlvr2": "dev"}.get(task, "val")
    code, _, shown = scored(capsys, task, split, tmp_path / "file")
    if (content, task) == (b"", "nlvr2"):  # a file of no lines
        problem = "160 ids are missing"
    assert code == 3 and f"file: {problem}" in shown


def test_an_error_shows_no_more_than_a_few_lines_of_a_file(tmp_path, capsys):
    refcoco_files.write(tmp_path)
    content = json.dumps([{"ref_id": 0, "text": "x", "image": "y" * 90_000}])
    (tmp_path / "refcoco+_val.json").write_text(content)
    (tmp_path / "boxes.json").write_text("[]")
    more = ("--data", str(tmp_path))
    code, _, shown = scored(capsys, "refcoco+", "val", tmp_path / "boxes.json", *more)
    assert code == 3 and "item 0: names the image 'yyy" in shown and len(shown) < 1200


@pytest.mark.parametrize(("size", "started"), [("", False), ("1", False), ("2", True)])
def test_an_empty_world_size_is_none(monkeypatch, size, started):
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", "0")
    assert started_by_torchrun() is started
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(UsageError, match="WORLD_SIZE='many'"):
        started_by_torchrun()


def test_a_checkpoint_without_a_name_writes_nothing_outside_of_out(tmp_path, capsys):
    path = tmp_path / "...safetensors"
    path.write_bytes(b"x")
    code = main(["run", "--task", "refcoco+", "--checkpoint", str(path), "--out", str(tmp_path)])
    assert code == 2 and "has no name that results can be stored under" in capsys.readouterr().err


def test_a_vocabulary_may_begin_with_a_byte_order_mark(tmp_path):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    for mark in ("", "\ufeff"):
        (tmp_path / "vocab.txt").write_text(mark + "\n".join(pieces) + "\n", encoding="utf-8")
        assert Tokenizer(tmp_path / "vocab.txt").ids("a") == [2, 5]


def test_all_tasks_of_a_split_are_those_that_have_it():
    tasks = find_tasks(["all"])
    chosen = splits_of(tasks, ["test"], every=True)
    assert list(chosen) == [task.name for task in tasks if "test" in task.splits]
    assert splits_of(tasks, [], every=True) == {task.name: list(task.splits) for task in tasks}
    with pytest.raises(UsageError, match="no task has a split 'tset'; did you mean test"):
        splits_of(tasks, ["tset"], every=True)
    with pytest.raises(UsageError, match=r"refcoco\+ has no split 'test'"):
        splits_of(tasks, ["test"], every=False)


def shown_by_case(name, task, split, tmp_path, capsys):
    root = tmp_path / name
    shutil.copytree(CASES / name, root, copy_function=shutil.copy)
    root.chmod(0o755)
    if not (root / "images").exists():
        (root / "images").symlink_to(embedded_data().root / "images")
    flags = ["--task", task, "--split", split, "--data", str(root), "--out", str(tmp_path / "o")]
    code = main(["run", *flags, "--checkpoint", "xvlm-shapes"])
    return code, capsys.readouterr().err


@pytest.mark.skipif(not CASES.is_dir(), reason="the reported cases are not here")
@pytest.mark.parametrize(
    ("name", "task", "split", "code", "problem"),
    [
        ("two_folders_one_name", "coco-retrieval", "test", 3, "val2014/a/COCO_val2014_0000001"),
        ("two_folders_one_name", "coco-caption", "test", 3, "have the id 100000"),
        ("surrogate_question", "vqav2", "val", 3, "questions[2].question should be Unicode text"),
        ("surrogate_caption", "coco-retrieval", "test", 3, "should be Unicode text"),
        ("nlvr2_line_separator", "nlvr2", "dev", 0, ""),
    ],
)
def test_reported_cases(tmp_path, capsys, name, task, split, code, problem):
    ended, shown = shown_by_case(name, task, split, tmp_path, capsys)
    assert ended == code and problem in shown


@pytest.mark.skipif(not CASES.is_dir(), reason="the reported cases are not here")
def test_reported_files_of_scores(capsys):
    for name in ("f64", "f64x"):
        path = CASES / "matrices" / f"{name}.npz"
        assert scored(capsys, "coco-retrieval", "test", path)[1]["metrics"]["i2t_r1"] == 100.0
    data = CASES / "boxes_in_pixels"
    for name in ("pixels_xywh", "pixels_xyxy"):
        more = ("--data", str(data))
        code, _, shown = scored(capsys, "refcoco+", "val", data / f"{name}.json", *more)
        assert code == 3 and "lies far outside of its image" in shown


def test_a_folder_of_another_layout_is_found(tmp_path):
    image = {"image": "val2014/COCO_val2014_000000000001.jpg", "caption": ["a"]}
    for name in ("annotation/coco_karpathy_test.json", "coco/annotations/coco_karpathy_test.json"):
        root = tmp_path / name.replace("/", "-")
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(json.dumps([image]))
        (root / "coco" / "images" / "val2014").mkdir(parents=True)
        for task in ("coco-retrieval", "coco-caption"):
            (sample,) = find_task(task).load(DataFolder(root, "files"), "test")
            assert sample.images[0].parent == root / "coco" / "images" / "val2014"


def test_links_and_absolute_names_are_followed_into_declared_folders_only(tmp_path, capsys):
    refcoco_files.write(tmp_path / "data")
    store, image = tmp_path / "store", tmp_path / "data" / "images/coco/train2014/one.jpg"
    store.mkdir()
    image.rename(store / "blob")
    image.symlink_to(store / "blob")
    flags = ["--task", "refcoco+", "--split", "val", "--data", str(tmp_path / "data"), "--verify"]
    assert main(["data", *flags]) == 3
    assert "a link that leads out of its folder" in capsys.readouterr().out
    main(["data", *flags, "--allow-links", str(store)])
    assert "Images that do not fit" not in capsys.readouterr().out
    main(["data", *flags, "--allow-links", str(tmp_path / "data" / "refcoco+")])
    assert "a link that leads out of its folder" in capsys.readouterr().out
    assert main(["data", *flags, "--allow-links", str(tmp_path / "absent")]) == 2

    entry = {"sentence": "two", "label": True, "images": [str(store / "blob"), "/etc/passwd"]}
    (tmp_path / "nlvr_dev.json").write_text(json.dumps([entry]))
    data, task = DataFolder(tmp_path, "files"), find_task("nlvr2")
    with allowing_links([store]), pytest.raises(DataError, match="'/etc/passwd', which lies outs"):
        task.load(data, "dev")
    entry["images"][1] = str(store / "blob")
    (tmp_path / "nlvr_dev.json").write_text(json.dumps([entry]))
    with allowing_links([store]):
        assert task.load(data, "dev")[0].images == (store / "blob", store / "blob")
    with pytest.raises(DataError, match="which lies outside"):
        task.load(data, "dev")


def test_official_labels_beside_a_flat_list_are_said_to_need_the_original(tmp_path, capsys):
    entry = {"sentence": "two", "label": "True", "images": ["a.png", "b.png"]}
    (tmp_path / "nlvr_dev.json").write_text(json.dumps([entry]))
    (tmp_path / "p.csv").write_text("dev-0-0-0,True\n")
    more = ("--data", str(tmp_path))
    code, _, shown = scored(capsys, "nlvr2", "dev", tmp_path / "p.csv", *more)
    assert code == 3 and "which X-VLM's flat list lacks" in shown
    (tmp_path / "p.csv").write_text("0,True\n")
    assert scored(capsys, "nlvr2", "dev", tmp_path / "p.csv", *more)[0] == 0
