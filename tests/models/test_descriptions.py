"""`xvlm-eval checkpoint` on weights of every family, in every wrapping, and of the wrong family."""

import argparse
import json

import pytest
import torch
from safetensors.torch import save_file

from harness.cli.main import main
from harness.files.paths import shipped_path
from tests.support.dual import write_dual_encoder
from tests.support.models_on_disk import grounding_state
from tests.support.random_weights import network

FAMILIES = ("xvlm", "albef", "blip")
TASKS = {
    "retrieval": [
        "coco-retrieval",
        "flickr30k-retrieval",
        "flickr30k-retrieval-zero-shot",
        "ovad",
        "vlue-retrieval",
    ],
    "vqa": ["vlue-vqa", "vqav2"],
    "nlvr": ["nlvr2", "vlue-nlvr2"],
    "captioning": ["coco-caption"],
}


def tensors(family, head="retrieval"):
    state = grounding_state() if family == "xvlm" else network(family, head).state_dict()
    return {name: tensor.clone().contiguous() for name, tensor in state.items()}


@pytest.fixture
def describe(tmp_path, capsys):
    """Describe an object that `torch.save` wrote, or a path; return code, output and errors."""

    def describe(content, family):
        path = content
        if isinstance(content, dict):
            path = tmp_path / "file.pth"
            torch.save(content, path)
        code = main(["checkpoint", str(path), "--model", family])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return describe


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": t for name, t in state.items()}},
        lambda state: {"state_dict": {f"model.{name}": t for name, t in state.items()}},
        lambda state: {"model": state, "config": argparse.Namespace(image_res=384)},
    ],
    ids=["plain", "state_dict", "ddp", "lightning", "namespace"],
)
def test_every_wrapping_is_taken(describe, family, wrap):
    code, shown, _ = describe(wrap(tensors(family)), family)
    assert code == 0
    assert "All tensors of the network are present" in shown
    assert "It can be evaluated on" in shown


@pytest.mark.parametrize(
    ("family", "head"),
    [
        *(("albef", head) for head in ("retrieval", "vqa", "nlvr")),
        *(("blip", head) for head in TASKS),
    ],
)
def test_it_names_the_tasks_of_each_head(tmp_path, capsys, family, head):
    torch.save({"model": tensors(family, head)}, tmp_path / "w.pth")
    command = ["checkpoint", str(tmp_path / "w.pth"), "--model", family, "--format", "json"]
    assert main(command) == 0
    content = json.loads(capsys.readouterr().out)
    weak = (
        ["refcoco+-weak", "vlue-grounding-weak"] if (family, head) == ("albef", "retrieval") else []
    )
    assert sorted(content["tasks"]) == sorted(TASKS[head] + weak)
    assert (content["head"], content["resolution"]) == (head, 96)
    assert content["parameters"] > 100_000 and content["fits"]


def test_it_names_every_task_of_an_x_vlm_head(capsys):
    weights = shipped_path("harness") / "shapes" / "weights" / "refcoco+.safetensors"
    assert main(["checkpoint", str(weights), "--format", "json"]) == 0
    tasks = json.loads(capsys.readouterr().out)["tasks"]
    assert tasks == ["refcoco+", "refcoco", "refcocog", "vlue-grounding"]
    assert main(["checkpoint", str(weights)]) == 0
    assert "evaluated on refcoco+, refcoco, refcocog, vlue-grounding." in capsys.readouterr().out


@pytest.mark.parametrize("given", FAMILIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_of_another_family_is_refused_by_its_name(describe, family, given):
    """ALBEF's tensors fill BLIP's network: its numbers would be wrong without a word."""
    code, _, errors = describe({"model": tensors(family)}, given)
    assert code == (0 if family == given else 3)
    if family != given:
        assert f"name its family with --model {family}" in errors


def test_a_folder_is_read_whole_or_split(describe, tmp_path):
    state = tensors("blip")
    names = sorted(state)
    parts = {"model-00001-of-00002.safetensors": names[::2]}
    parts["model-00002-of-00002.safetensors"] = names[1::2]
    for file, part in parts.items():
        save_file({name: state[name] for name in part}, tmp_path / file)
    index = {name: file for file, part in parts.items() for name in part}
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": index}))
    code, shown, _ = describe(tmp_path, "blip")
    assert code == 0 and f"It holds {len(state)} tensors" in shown
    code, _, errors = describe(tmp_path / "model-00002-of-00002.safetensors", "blip")
    assert code == 3 and f"name their folder, {tmp_path}" in errors
    path.write_text(json.dumps({"weight_map": {**index, "absent": parts and next(iter(parts))}}))
    assert "names absent, which model-00001-of-00002" in describe(tmp_path, "blip")[2]
    path.write_text(json.dumps({"weight_map": {names[0]: "../elsewhere.safetensors"}}))
    assert "has no weight_map from tensors to files beside it" in describe(tmp_path, "blip")[2]
    path.unlink()
    assert "holds no model.safetensors or pytorch_model.bin" in describe(tmp_path, "blip")[2]


def test_what_is_not_used_and_what_is_missing_is_said(describe):
    state = tensors("albef")
    extra = {**state, "other_head.weight": torch.ones(2)}
    assert "are not used: other_head (1)" in describe({"model": extra}, "albef")[1]
    del state["itm_head.bias"]
    code, shown, _ = describe({"model": state}, "albef")
    assert code == 1 and "lacks itm_head.bias" in shown
    assert "It can be evaluated" not in shown


def test_a_dual_encoder_is_described_and_other_folders_are_refused(describe, tmp_path):
    folder = write_dual_encoder(tmp_path / "clip", "clip")
    code, shown, _ = describe(folder, "dual")
    assert code == 0 and "is a CLIPModel in the layout of transformers" in shown
    assert "clip-cosine|48px" in shown and "coco-retrieval, flickr30k-retrieval, ovad" in shown
    for family in FAMILIES:
        assert "name its family with --model dual" in describe(folder, family)[2]
    code, _, errors = describe(tmp_path, "dual")
    assert code == 3 and f"{tmp_path}: holds no config.json; the family `dual` reads" in errors
    code, _, errors = describe("nobody/nothing", "dual")
    assert code == 3 and "is not in the hub's cache; --download gets it" in errors


@pytest.mark.parametrize("family", FAMILIES)
def test_a_name_in_a_file_moves_no_cursor(describe, family):
    state = {**tensors(family), "text_encoder.\x1b[2Jx": torch.zeros(2)}
    code, out, _ = describe({"model": state}, family)
    assert code == 1 and "text_encoder.\ufffd[2Jx" in out and "\x1b" not in out
