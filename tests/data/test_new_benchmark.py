"""A new benchmark is its task: with a `dataset` stated there, every command knows its files."""

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest
from datasets import Dataset

from harness.cli.main import main
from harness.registry import find_task, official_counts
from tasks import TASKS
from tests.data.mazes import ANNOTATIONS, MODULE, archive
from tests.support.unreliable_server import Site, served


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A package with two tasks is installed, and a server has the files of one."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "package"
    info = package / "labyrinths-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labyrinths\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[xvlm_eval.tasks]\nmazes = labyrinths:Mazes\nplain = labyrinths:Plain\n"
    )
    with served(Site({"/mazes.zip": archive()})) as running:
        sha256 = hashlib.sha256(ANNOTATIONS).hexdigest()
        (package / "labyrinths.py").write_text(MODULE.format(url=running.url, sha256=sha256))
        monkeypatch.syspath_prepend(str(package))
        vocabulary = tmp_path / "data" / "bert-base-uncased" / "vocab.txt"
        vocabulary.parent.mkdir(parents=True)
        vocabulary.write_text("[PAD]\n")
        yield running
    sys.modules.pop("labyrinths", None)


def report(capsys, *arguments):
    """Exit code and JSON output of `data`."""
    code = main(["data", "--data", "data", *arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_its_missing_files_are_reported_with_their_origin(site, capsys):
    assert main(["data", "--task", "mazes", "--data", "data"]) == 3
    shown = capsys.readouterr().out
    assert (
        f"mazes/test.json: the mazes; get it from {site.url}/mazes.zip (mazes.zip, CC0); "
        "`xvlm-eval fetch` does it" in shown
    )


def test_its_files_are_fetched_and_agree_with_the_published_facts(site, capsys):
    fetch = ["fetch", "--task", "mazes", "--data", "data"]
    assert main(fetch) == 0
    assert (
        "mazes.zip: size not published, CC0\n"
        f"  from {site.url}/mazes.zip\n"
        "  to   data/mazes/test.json, data/images/mazes\n" in capsys.readouterr().out
    )
    assert main([*fetch, "--yes"]) == 0
    capsys.readouterr()
    code, output = report(capsys, "--task", "mazes", "--verify")
    assert (code, output["sound"]) == (0, True)
    assert output["splits"][0]["counts"] == {"samples": 3, "images": 3}


def test_another_file_and_other_counts_than_the_published_ones_are_wrong(site, capsys):
    Path("data/mazes").mkdir()
    Path("data/mazes/test.json").write_text('[{"id": 0, "image": "0.png"}]')
    code, output = report(capsys, "--task", "mazes")
    annotations = output["files"][0]
    assert (code, annotations["state"]) == (3, "wrong")
    assert "in mazes.example" in annotations["found"][0]
    assert output["splits"][0]["found"] == [
        "1 samples, officially 3",
        "1 images, officially 2 to 4",
    ]


def test_an_archive_with_another_file_than_the_published_one_is_deleted(site, capsys):
    site.files["/mazes.zip"] = site.files["/mazes.zip"].replace(b"PK\x03\x04", b"PK\x03\x05", 1)
    assert main(["fetch", "--task", "mazes", "--data", "data", "--yes"]) == 3
    assert "the archive was deleted" in capsys.readouterr().err
    assert not Path("data/mazes").exists()


def test_its_files_stand_in_the_layout_with_the_note_on_its_images(site, capsys):
    assert main(["data", "--layout", "--task", "mazes"]) == 0
    tree = """DATA/
├── bert-base-uncased/              the vocabulary, 30,522 pieces
│   └── vocab.txt
├── images/                         JPEG files as they come in the archives; mazes are PNG
│   └── mazes/
└── mazes/
    └── test.json
"""
    assert capsys.readouterr().out == tree


def test_its_flat_lists_are_written(site, capsys):
    Path("data/mazes").mkdir()
    Path("data/mazes/test.json").write_bytes(ANNOTATIONS)
    assert main(["data", "--task", "mazes", "--data", "data", "--build-flat", "lists"]) == 0
    assert json.loads(Path("lists/mazes_test.json").read_text()) == [0, 1, 2]
    assert "lists/mazes_test.json: 3 entries" in capsys.readouterr().out


def test_its_official_counts_are_known(site):
    assert official_counts()["mazes"] == {"test": 3}
    assert "plain" not in official_counts()


def test_its_copy_on_the_hub_is_converted(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "cache"))
    rows = [{"id": number, "image_name": f"{number}.png"} for number in range(3)]
    path = tmp_path / "copy" / "data" / "everything-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    Dataset.from_list(rows).to_parquet(path)
    main(["data", "--task", "mazes", "--data", "hf:copy", "--format", "json"])
    output = json.loads(capsys.readouterr().out)
    assert output["splits"][0]["counts"]["samples"] == 3


def test_without_a_dataset_nothing_is_compared_fetched_or_converted(site, capsys):
    Path("data/mazes").mkdir()
    Path("data/mazes/test.json").write_text('[{"id": 0, "image": "0.png"}]')
    code, output = report(capsys, "--task", "plain")
    assert code == 3  # the pictures are missing
    assert [file["state"] for file in output["files"]] == ["present", "missing"]
    assert (output["splits"][0]["state"], output["splits"][0]["found"]) == ("present", [])
    assert main(["fetch", "--task", "plain", "--data", "data", "--yes"]) == 0
    assert (
        "nothing to fetch into data\n"
        "needs a form or a login, or was not requested:\n"
        "  images/mazes: the pictures; get it from https://mazes.example\n"
        in capsys.readouterr().out
    )
    assert main(["data", "--task", "plain", "--layout"]) == 0
    assert "└── test.json" in capsys.readouterr().out
    assert main(["data", "--task", "plain", "--data", "data", "--build-flat", "lists"]) == 0
    assert not Path("lists").exists()
    assert main(["data", "--task", "plain", "--data", "hf"]) == 3
    assert "plain: cannot come from the hub: no copy on the hub is known" in capsys.readouterr().err


def test_nothing_in_the_rooms_of_data_names_a_benchmark():
    words = re.compile(r"vqa|nlvr|coco|flickr|ovad|karpathy", re.IGNORECASE)
    known = {match for name in TASKS for match in words.findall(name)}
    assert known == {"vqa", "nlvr", "coco", "flickr", "ovad"}
    named = {
        f"{path.name}: {line.strip()}"
        for path in (Path(__file__).parents[2] / "harness" / "data").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if words.search(line)
    }
    assert named == set()


@pytest.mark.parametrize("name", TASKS)
def test_published_facts_are_about_the_files_and_splits_of_their_task(name):
    task = find_task(name)
    needed = [needed for split in task.splits for needed in task.files(split)]
    paths = {path for item in needed for path in item.candidates}
    dataset = task.dataset
    assert dataset.citation
    assert set(dataset.digests) <= {path.rsplit("/", 1)[-1] for path in paths}
    assert list(dataset.counts) == list(task.splits)
    assert all(set(origin.members.values()) & paths for origin in dataset.origins)
    assert all(item.optional or dataset.origin_of(item.candidates) for item in needed)
