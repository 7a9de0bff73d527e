"""Checkpoints, and what is beside them, with arbitrary content are read, or refused readably."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checkpoints import read_entries
from harness.files.paths import resolve_folder
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.checkpoint import read_checkpoint
from tests.support.arbitrary import SETTINGS, changed, damaged, put, read_or_refused, seeds
from tests.support.models_on_disk import grounding_state, write_checkpoint
from tests.support.official_files import as_json, as_yaml

ENTRY = {
    "m": {
        "title": "M",
        "family": "xvlm",
        "licence": "L",
        "vocabulary": "v",
        "files": {"ovad": {"path": "a.th", "head": "retrieval", "resolution": 384, "drive": "d"}},
    }
}


@SETTINGS
@given(content=changed(ENTRY), seed=st.integers(0, 2**32))
def test_any_list_of_checkpoints_and_any_configuration_is_read_or_refused(
    tmp_path, content, seed, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("XVLM_EVAL_DATA", raising=False)
    for text in (as_yaml(content), damaged(as_yaml(content), seed)):
        (tmp_path / "checkpoints.yaml").write_bytes(text)
        read_or_refused(read_entries, tmp_path / "checkpoints.yaml")
        put(tmp_path, "xvlm-eval/config.yaml", text)
        read_or_refused(resolve_folder, "data")


def test_a_yaml_file_that_expands_exponentially_is_refused(tmp_path):
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    (tmp_path / "checkpoints.yaml").write_text(bomb)
    assert read_or_refused(read_entries, tmp_path / "checkpoints.yaml") is None


@pytest.mark.parametrize("name", ["checkpoint.th", "checkpoint.safetensors"])
def test_a_checkpoint_with_damaged_bytes_is_read_or_refused(tmp_path, name):
    from safetensors.torch import save_file

    path = write_checkpoint(tmp_path / "checkpoint.th").with_name(name)
    if path.suffix == ".safetensors":
        save_file(grounding_state(), path)
    sound = path.read_bytes()
    for seed in seeds():
        bad = damaged(sound, seed)
        if seed % 2:  # most of the file is numbers: damage its header as often
            rng = random.Random(seed)
            start = rng.randrange(2000)
            bad = sound[:start] + rng.randbytes(2) + sound[start + 2 :]
        path.write_bytes(bad)
        read_or_refused(read_checkpoint, path)


@SETTINGS
@given(
    content=changed(
        {
            "text_config": {"num_attention_heads": 1},
            "vision_config": {"image_res": 64},
            "image_res": 64,
        }
    )
)
def test_any_configuration_beside_a_checkpoint_is_read_or_refused(shared_checkpoint, content):
    shared_checkpoint.with_name("config.json").write_bytes(as_json(content))
    read_or_refused(read_checkpoint, shared_checkpoint, shared_checkpoint.with_name("config.json"))


@pytest.fixture(scope="module")
def shared_checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "checkpoint.th")


@SETTINGS
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
)
def test_any_vocabulary_is_read_or_refused(tmp_path, content):
    (tmp_path / "vocab.txt").write_bytes(content)
    read_or_refused(Tokenizer, tmp_path / "vocab.txt")
