"""Files as users have them: read as the official code reads them, or refused by file and item."""

import json

import pytest

from harness.cli.main import main
from harness.dataset import HubRows
from harness.errors import DataError, UsageError
from harness.formats.folder import DataFolder
from harness.formats.hub_rows import write_flickr30k
from harness.formats.nlvr2 import read_flat_statements, read_lines
from harness.images import allowing_links
from harness.models.fusion.tokenizer import Tokenizer
from harness.registry import find_task, find_tasks, splits_of
from harness.running.processes.distributed import started_by_torchrun
from tests.support import refcoco_files

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


@pytest.mark.parametrize(("size", "started"), [("", False), ("1", False), ("2", True)])
def test_an_empty_world_size_is_none(monkeypatch, size, started):
    monkeypatch.setenv("WORLD_SIZE", size)
    monkeypatch.setenv("RANK", "0")
    assert started_by_torchrun() is started
    monkeypatch.setenv("WORLD_SIZE", "many")
    with pytest.raises(UsageError, match="WORLD_SIZE=many: expected a whole number"):
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
