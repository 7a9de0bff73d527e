"""`xvlm-eval fetch` prints its plan, carries it out, and leaves a folder that `run` can use."""

import json
import shutil
import types
from dataclasses import replace

import pytest

from harness.checkpoints import VOCABULARY
from harness.cli.main import main
from harness.data.fetch import plan
from harness.errors import HarnessError
from harness.files.lock import locked
from harness.shapes.benchmark import embedded_data
from tasks.retrieval import Flickr30KRetrieval
from tests.data.ovad_site import FETCH, archive, serve_ovad


@pytest.fixture
def site(monkeypatch, tmp_path):
    with serve_ovad(monkeypatch, tmp_path) as running:
        yield running


def test_without_yes_no_server_is_contacted(site, tmp_path, capsys):
    assert main(FETCH) == 0
    shown = capsys.readouterr()
    assert (
        "ovad.zip: size not published, CC BY-NC-SA 4.0\n"
        f"  from {site.url}/ovad.zip\n"
        "  to   data/ovad/ovad2000.json" in shown.out
    )
    assert " MB, images under Flickr's terms of use" in shown.out
    assert "nothing was fetched; add --yes to fetch" in shown.err
    assert site.asked == [] and list(tmp_path.iterdir()) == []


def test_the_fetched_files_are_those_that_the_task_needs(site, tmp_path, capsys):
    assert main([*FETCH, "--yes"]) == 0
    shown = capsys.readouterr().out
    assert (
        "data/ovad/ovad2000.json: fetched" in shown and "data/images/coco/val2017: fetched" in shown
    )
    assert (
        main(["data", "--task", "ovad", "--data", "data", "--verify", "--format", "json"]) == 3
    )  # 514 boxes are not OVAD's 14,000
    answer = json.loads(capsys.readouterr().out)
    assert [file["state"] for file in answer["files"]] == ["present", "present"] and answer[
        "misfits"
    ] == []
    assert answer["splits"][0]["counts"]["samples"] == 514
    assert sorted(path.name for path in (tmp_path / "data" / ".fetch").iterdir()) == []
    asked = len(site.asked)
    assert main([*FETCH, "--yes"]) == 0
    assert "nothing to fetch into data" in capsys.readouterr().out and len(site.asked) == asked


def test_an_interrupted_fetch_is_resumed(site, tmp_path, capsys):
    site.breaks = lambda request: 50_000 if request == 3 else None
    site.status = lambda request: 404 if request > 3 else None
    assert main([*FETCH, "--yes"]) == 3
    shown = capsys.readouterr().err
    assert "the server answers 404" in shown
    assert not (tmp_path / "data" / "images").exists()
    site.breaks = site.status = lambda request: None
    assert main([*FETCH, "--yes"]) == 0
    assert len(list((tmp_path / "data" / "images" / "coco" / "val2017").iterdir())) == 180


def test_a_file_that_cannot_be_fetched_does_not_stop_the_others(site, tmp_path, capsys):
    del site.files["/ovad.zip"]
    assert main([*FETCH, "--yes"]) == 3
    shown = capsys.readouterr()
    assert "ovad.zip: the server answers 404" in shown.err
    assert "images/coco/val2017: fetched" in shown.out


def test_a_file_that_is_gone_is_reported_with_its_mirror(site, monkeypatch, capsys):
    dataset = Flickr30KRetrieval.dataset
    captions, images = dataset.origins
    gone = replace(captions, url=f"{site.url}/caption_datasets.zip")
    monkeypatch.setattr(Flickr30KRetrieval, "dataset", replace(dataset, origins=(gone, images)))
    assert main(["fetch", "--task", "flickr30k-retrieval", "--data", "data", "--yes"]) == 3
    assert (
        "caption_datasets.zip: the server answers 404 Not Found; "
        "Kaggle, shtvkumar/karpathy-splits, has a copy" in capsys.readouterr().err
    )


def test_an_archive_of_another_file_is_deleted(site, tmp_path, capsys):
    site.files["/ovad.zip"] = archive({"ovad2000.json": b'{"another": "file"}'})
    assert main([*FETCH, "--yes"]) == 3
    assert "its ovad2000.json is not the published one" in capsys.readouterr().err
    assert not (tmp_path / "data" / "ovad").exists()
    assert sorted(path.name for path in (tmp_path / "data" / ".fetch").iterdir()) == []


def test_an_incomplete_folder_is_completed_where_it_lies(site, tmp_path, capsys):
    assert main([*FETCH, "--yes"]) == 0
    images = tmp_path / "data" / "val2017"
    (tmp_path / "data" / "images" / "coco" / "val2017").rename(images)
    for path in sorted(images.iterdir())[:7]:
        path.unlink()
    kept = sorted(images.iterdir())[0]
    kept.write_bytes(b"the user's own")
    capsys.readouterr()
    assert main([*FETCH, "--yes"]) == 0
    assert "data/val2017: completed with 7 files" in capsys.readouterr().out
    assert len(list(images.iterdir())) == 180 and kept.read_bytes() == b"the user's own"


def test_two_fetches_into_one_folder_do_not_collide(site, tmp_path, capsys):
    with locked(tmp_path / "data" / ".fetch" / "lock", busy=HarnessError("busy")):
        assert main([*FETCH, "--yes"]) == 4
    assert "another fetch into this folder is running" in capsys.readouterr().err
    assert site.asked == []
    assert main([*FETCH, "--yes"]) == 0


def test_a_disk_without_room_is_refused_before_any_request(site, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    assert main([*FETCH, "--yes"]) == 4
    assert "MB are free; make room, or fetch less" in capsys.readouterr().err
    assert site.asked == []


def test_the_hub_is_not_contacted_offline(site, monkeypatch, capsys):
    monkeypatch.setattr(plan, "VOCABULARY", VOCABULARY)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main([*FETCH, "--yes"]) == 4
    assert "not fetched, since HF_HUB_OFFLINE is set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"), [(["fetch"], 2), (["fetch", "--data", "data", "--task", "chess"], 2)]
)
def test_a_fetch_needs_a_folder_and_known_tasks(tmp_path, monkeypatch, capsys, arguments, code):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    assert capsys.readouterr().out == ""


def test_the_embedded_benchmark_needs_no_fetching(tmp_path, capsys):
    assert main(["fetch", "--data", str(embedded_data().root)]) == 2
    assert "needs nothing" in capsys.readouterr().err
