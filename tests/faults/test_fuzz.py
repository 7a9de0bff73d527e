"""Files with arbitrary content: each is read, or refused with a message that a user can act on.

What is certainly invalid (null, NaN, an object or a list in place of a value) is refused, or the
file reads as if it were untouched.

`make test` tries a few inputs, the same ones every time. `XVLM_EVAL_FUZZ_EXAMPLES=N` (nightly)
tries N random ones per test, others every time; a failure shows how to repeat it.
"""

import copy
import gzip
import json
import math
import os
import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.checkpoints import read_entries
from harness.errors import HarnessError
from harness.files.paths import resolve_folder
from harness.formats.folder import DataFolder
from harness.models.fusion.tokenizer import Tokenizer
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.records.predictions import open_predictions, read_predictions
from harness.records.record import read_record
from harness.registry import find_task
from harness.running.loader import load_batches
from harness.task import Sample, load_samples
from tests.support.models_on_disk import grounding_state, write_checkpoint
from tests.support.official_files import FILES, FLAT_INSTEAD, IMAGE_FOLDERS, as_json, as_yaml
from tests.support.records import RECORD

NIGHTLY = "XVLM_EVAL_FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("XVLM_EVAL_FUZZ_EXAMPLES", "25"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,  # no test measures time
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=not NIGHTLY,
    print_blob=True,
)
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 1e308, -0.0])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
ALIEN = [None, {}, {"": None}, [[]], [None], math.nan, math.inf, -(10**400)]
BEYOND = ["../../../etc/passwd", "/etc/passwd", "a/../../b.jpg", "..", "\0", "c:\\secret"]


def paths(value, path=()):
    """The path to every value in nested lists and objects."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def with_change(content, path, value):
    """A copy of nested content with another value at one path."""
    if not path:
        return value
    content = copy.deepcopy(content)
    item = content
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    return content


def changed(content):
    return st.builds(with_change, st.just(content), st.sampled_from(list(paths(content))), VALUES)


def seeds(count=EXAMPLES):
    """Seeds of damage: the same every time, or at night, others every time."""
    first = random.randrange(2**32) if NIGHTLY else 0
    print("first seed", first)  # shown where a test fails
    return range(first, first + count)


# What a file may be instead of what was meant, as `harness.files.kinds` recognises it.
OTHER_KINDS = (
    gzip.compress,
    lambda sound: gzip.compress(sound)[:-5],
    lambda sound: b"\xef\xbb\xbf" + sound,
    lambda sound: sound.decode("latin-1").encode("utf-16"),
    lambda sound: sound.replace(b"\n", b"\r\n"),
    lambda sound: sound + b"\n\n",
    lambda sound: sound.replace(b" ", b" \\ud83d", 1),  # half a surrogate pair in JSON
    lambda sound: sound.replace(b" ", "\u2028\u0085".encode(), 1),
    lambda sound: sound * 2,  # every id twice
    lambda sound: b"[" + sound + b"]",  # another container
    lambda sound: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    lambda sound: b"/annex/objects/SHA256E-s9--0.json\n",
    lambda sound: b"<!DOCTYPE html><html><title>Quota exceeded</title></html>",
    lambda sound: b"PK\x03\x04" + sound,
    lambda sound: b"",
    lambda sound: b"\n",
)


def damaged(sound, seed):
    """Random bytes, sound bytes cut short, changed, doubled or left out; or another kind."""
    rng = random.Random(seed)
    start, length = rng.randrange(len(sound) + 1), rng.randrange(1, 9)
    return rng.choice([
        rng.choice(OTHER_KINDS)(sound),
        rng.randbytes(rng.randrange(200)),
        sound[:start],
        sound[:start] + rng.randbytes(length) + sound[start + length :],
        sound[:start] + sound[start : start + length] * 2 + sound[start + length :],
        sound[:start] + sound[start + length :],
    ])  # fmt: skip


def read_or_refused(read, *arguments):
    """What was read, or None where it was refused with a readable HarnessError."""
    try:
        return read(*arguments)
    except HarnessError as error:
        assert 0 < len(str(error)) < 2000 and "Traceback" not in str(error)
        return None


@pytest.fixture
def folder(tmp_path):
    """All sound annotation files except flat lists, and no images."""
    for file in FILES.values():
        if file.path not in FLAT_INSTEAD:
            put(tmp_path, file.path, file.written(file.content))
    (tmp_path / "refcoco+_val.json").unlink()
    for name in IMAGE_FOLDERS:
        (tmp_path / "images" / name).mkdir(parents=True)
    return DataFolder(tmp_path, "files")


def put(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def load(folder, file, content):
    """The samples of a task when one of its files holds `content` (bytes)."""
    put(folder.root, file.path, content)
    if file.path in FLAT_INSTEAD:
        (folder.root / FLAT_INSTEAD[file.path]).unlink(missing_ok=True)
    return load_samples(find_task(file.task), folder, file.split)


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_read(folder, name):
    assert load(folder, FILES[name], FILES[name].written(FILES[name].content))


@pytest.mark.parametrize("name", FILES)
@SETTINGS
@given(data=st.data())
def test_annotations_with_anything_anywhere(folder, name, data):
    file = FILES[name]
    read_or_refused(load, folder, file, file.written(data.draw(changed(file.content))))


@pytest.mark.parametrize("name", FILES)
def test_nothing_certainly_bad_comes_through(folder, name):
    file = FILES[name]
    sound = load(folder, file, file.written(file.content))
    for path in paths(file.content):
        for value in [*ALIEN, *BEYOND]:
            if value in BEYOND and not (
                path and path[-1] in ("image", "filename", "file_name", "identifier")
            ):
                continue  # a text like any other
            if path and path[-1] in ("answer_confidence", "answer_id"):
                continue  # the official scorer compares whole answers, whatever else they hold
            samples = read_or_refused(
                load, folder, file, file.written(with_change(file.content, path, value))
            )
            assert samples is None or samples == sound or len(samples) < len(sound), (path, value)


@pytest.mark.parametrize("name", FILES)
def test_annotations_of_every_other_kind(folder, name):
    file = FILES[name]
    sound = file.written(file.content)
    expected = load(folder, file, sound)
    for other in OTHER_KINDS:
        read_or_refused(load, folder, file, other(sound))
    for same in (gzip.compress, lambda sound: sound + b"\n\n"):
        assert load(folder, file, same(sound)) == expected


@pytest.mark.parametrize("name", FILES)
def test_bytes_of_annotations(folder, name):
    file = FILES[name]
    for seed in seeds():
        read_or_refused(load, folder, file, damaged(file.written(file.content), seed))


PREDICTIONS = {
    "vqav2": {10: "cup", 11: "red"},
    "nlvr2": {"dev-0-0-0": True, "dev-0-1-0": False},
    "ovad": {1: [0.5, 0.25], 2: [0.125, 1.0]},
    "refcoco+": {100: [0.5, 0.5, 0.25, 0.25], 101: [0.5, 0.5, 0.2, 0.2], 102: [0.1, 0.2, 0.3, 0.4]},
    "refcoco+-weak": {100: [10, 20, 30, 40], 101: None, 102: [0.0, 0.0, 50.0, 50.0]},
    "flickr30k-retrieval": {
        f"{n}.jpg": {"texts": [0, 1], "itc": [0.5, 0.25], "itm": [2.0, 1.0]} for n in (1, 2)
    },
}
SPLITS = {
    "vqav2": "val",
    "nlvr2": "dev",
    "ovad": "box",
    "refcoco+": "val",
    "refcoco+-weak": "val",
    "flickr30k-retrieval": "test",
}
OFFICIAL = {
    "vqav2": [{"question_id": 10, "answer": "cup"}, {"question_id": 11, "answer": "red"}],
    "refcoco+": [{"sent_id": 100 + n, "pred": [0.5, 0.5, 0.25, 0.25]} for n in range(3)],
    "refcoco+-weak": [{"sent_id": 100 + n, "pred": [10, 20, 30, 40]} for n in range(3)],
}


# Numbers beyond float32 become infinite, which is refused.
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("task", PREDICTIONS)
@SETTINGS
@given(data=st.data())
def test_predictions_of_every_task(folder, task, data):
    sound, samples = PREDICTIONS[task], find_task(task).load(folder, SPLITS[task])
    find_task(task).score(samples, sound)
    id = data.draw(st.sampled_from(list(sound)))
    read_or_refused(find_task(task).score, samples, {**sound, id: data.draw(changed(sound[id]))})


# Numbers beyond float32 become infinite, which is refused.
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("task", PREDICTIONS)
@SETTINGS
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_files_in_the_result_format_of_every_benchmark(folder, task, data, seed):
    samples, path = find_task(task).load(folder, SPLITS[task]), folder.root / "official"
    if task in OFFICIAL:
        path.write_bytes(as_json(data.draw(changed(OFFICIAL[task]))))
    elif task == "nlvr2":
        path.write_bytes(damaged(b"dev-0-0-0,True\ndev-0-1-0,False\n", seed))
    elif task == "ovad":
        with path.open("wb") as file:
            np.save(file, np.eye(2, dtype=np.float32))
        path.write_bytes(damaged(path.read_bytes(), seed))
    else:
        with path.open("wb") as file:
            np.savez(file, score_matrix_i2t=np.eye(2), score_matrix_t2i=np.eye(2))
        path.write_bytes(damaged(path.read_bytes(), seed))
    read_or_refused(find_task(task).score_official, samples, path)


@SETTINGS
@given(
    content=changed(json.loads(json.dumps({**RECORD.__dict__, "subset": {"limit": 3, "total": 9}})))
)
def test_records(tmp_path, content):
    (tmp_path / "record.json").write_text(json.dumps(content))
    read_or_refused(read_record, tmp_path / "record.json")


def test_bytes_of_records_and_prediction_files(tmp_path):
    record = json.dumps(RECORD.__dict__).encode()
    header = b'{"format":"xvlm-eval predictions 1","identity":{},"software":{}}'
    lines = header + b'\n{"id":1,"prediction":[1]}\n'
    for seed in seeds():
        (tmp_path / "record.json").write_bytes(damaged(record, seed))
        read_or_refused(read_record, tmp_path / "record.json")
        (tmp_path / "p.jsonl").write_bytes(damaged(lines, seed))
        read_or_refused(read_predictions, tmp_path / "p.jsonl")


@SETTINGS
@given(
    content=changed(
        {"format": "xvlm-eval predictions 1", "identity": {"task": "t"}, "software": {}}
    ),
    entry=changed({"id": 1, "prediction": [1]}),
)
def test_prediction_files(tmp_path, content, entry):
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(content)}\n{json.dumps(entry)}\n")

    def resume():
        with open_predictions(tmp_path / "p.jsonl", {"task": "t"}, software={}):
            pass

    read_or_refused(resume)


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
def test_lists_of_checkpoints_and_configuration_files(tmp_path, content, seed, monkeypatch):
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
def test_bytes_of_checkpoints(tmp_path, name):
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
def test_configurations_beside_a_checkpoint(shared_checkpoint, content):
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
def test_vocabularies(tmp_path, content):
    (tmp_path / "vocab.txt").write_bytes(content)
    read_or_refused(Tokenizer, tmp_path / "vocab.txt")


def decoded(path):
    (batch,) = load_batches(
        [[Sample(1, (path,))]],
        lambda image: np.asarray(image.convert("RGB").resize((4, 4))),
        workers=1,
    )
    return batch


# Pillow warns of damage in the metadata of an image that it can decode.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_bytes_of_images(tmp_path, kind):
    path = tmp_path / "image"
    Image.effect_noise((24, 24), 60).save(path, kind)
    sound = path.read_bytes()
    for seed in seeds():
        path.write_bytes(damaged(sound, seed))
        read_or_refused(decoded, path)


def test_an_image_that_is_a_link_out_of_its_folder_is_refused_and_a_link_to_the_folder_is_not(
    tmp_path,
):
    for name in ("real", "elsewhere"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "a.png")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "b.png").symlink_to("a.png")
    (tmp_path / "real" / "c.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert decoded(tmp_path / "linked" / "a.png") and decoded(tmp_path / "linked" / "b.png")
    assert read_or_refused(decoded, tmp_path / "linked" / "c.png") is None


def test_an_image_that_decompresses_to_gigabytes_is_refused(tmp_path):
    """A tiny PNG whose header claims 400 million pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 99)),
        (b"IEND", b""),
    ]
    whole = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + whole)
    assert read_or_refused(decoded, tmp_path / "bomb.png") is None
